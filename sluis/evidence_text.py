# SPDX-License-Identifier: EUPL-1.2
"""HOW-TO-VERIFY.md, as it lies in every evidence bundle, in Dutch and English."""

HOW_TO_VERIFY = """\
# Zo controleert u dit bewijs

Deze map laat zien wat er over een uitwisseling is besloten. U kunt alles nagaan zonder de broker en zonder internet.
Er staan geen gegevens over een persoon of bedrijf in: alleen namen van velden, partijen, regels en redenen.

1. Haal de sleutels van het logboek en van de getuigen op bij wie ze openbaar maakt. Neem ze niet uit deze map: de
   sleutels in `keys/` zijn er alleen om te vergelijken.
2. Met Sluis, voor ten minste een getuige:

       sluis audit verify bundle.zip --log-vkey "LOGSLEUTEL" --witness-vkey "GETUIGESLEUTEL" --quorum 1

3. Zonder Sluis, met elk gereedschap dat C2SP kent:
   - `checkpoint.txt` is een ondertekend ijkpunt (c2sp.org/tlog-checkpoint). Controleer de handtekening van het logboek
     en die van de getuigen.
   - `proofs/N.tlog-proof` (c2sp.org/tlog-proof) bewijst dat `entries/N.json` regel N van dat logboek is. De hash van
     een regel is SHA-256 over een nul-byte en de bytes van het bestand.
   - `policy` in een regel noemt de regels die besloten. Die staan in `rules/`, als JSON met zlib verkleind:

         python3 -c "import sys,zlib;sys.stdout.buffer.write(zlib.decompress(open(sys.argv[1],'rb').read()))" FILE

     Hoe hun kenmerk wordt berekend staat in `sluis/policy/bundle.py` van de broncode.
   - `reading/` is een leesversie van die regels. Alleen de regels zelf beslissen.

Wat dit bewijst: dat de broker deze regels heeft vastgelegd, op deze plaats, en dat de getuigen dit logboek kennen.
Wat het niet bewijst: dat er na de laatste regel hier niets meer over deze uitwisseling is vastgelegd.

# How to check this evidence

This folder shows what was decided on one exchange. You can check all of it without the broker and without a network.
It holds nothing about a person or company: only names of fields, parties, rules and reasons.

1. Get the verifier keys of the log and of the witnesses from whoever publishes them. Do not take them from this folder:
   the keys in `keys/` are here for comparison only.
2. With Sluis, for at least one witness:

       sluis audit verify bundle.zip --log-vkey "LOG KEY" --witness-vkey "WITNESS KEY" --quorum 1

3. Without Sluis, with any tool that knows C2SP:
   - `checkpoint.txt` is a signed checkpoint (c2sp.org/tlog-checkpoint). Check the log's signature and the witnesses'.
   - `proofs/N.tlog-proof` (c2sp.org/tlog-proof) proves that `entries/N.json` is entry N of that log. The hash of an
     entry is SHA-256 over a zero byte and the bytes of the file.
   - `policy` in an entry names the rules that decided. They are in `rules/`, as JSON under zlib; the line of Python
     above unfolds them. How their digest is made stands in `sluis/policy/bundle.py` of the source.
   - `reading/` is a reading version (in Dutch) of those rules. Only the rules themselves decide.

What this proves: that the broker recorded these entries, at these places, and that the witnesses know this log.
What it does not prove: that nothing more was recorded on this exchange after the last entry here.
"""
