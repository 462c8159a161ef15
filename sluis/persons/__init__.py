# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number: recognised by name and date of birth, between public bodies only."""

from sluis.persons.keys import MAX_KEYS, Person, check_not_in_bulk, person_keys

__all__ = ["MAX_KEYS", "Person", "check_not_in_bulk", "person_keys"]
