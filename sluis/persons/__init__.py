# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number: recognised by name and date of birth, between public bodies only."""

from sluis.persons.keys import MAX_KEYS, Person, person_keys

__all__ = ["MAX_KEYS", "Person", "person_keys"]
