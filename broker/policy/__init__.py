# SPDX-License-Identifier: EUPL-1.2
"""Examining and changing the rules.

active       which rules decide now: what the log last activated
activation   putting others in force, by officers' signatures; officers
change/      what differs between two sets of rules
replay       deciding past exchanges again
cases        running the examples in policies/cases; decisive: what decides them
analyse      what can never apply, contradicts, ends soon; watch
"""
