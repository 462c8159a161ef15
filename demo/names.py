# SPDX-License-Identifier: EUPL-1.2
"""Invented names for the demo's firms and certification bodies, in places that exist.

A firm's name joins a bird or landscape word with a trade word, so it reads like an agency and is none
that we know of; a likeness to a real firm is chance. The postcodes are of the right town; the
street and the house number are not looked up anywhere.
"""

from typing import Final

BODIES: Final = (
    "Noordster Certificatie B.V.",
    "Keurhuis De Waag B.V.",
    "Ankerpunt Inspecties B.V.",
    "Stichting Toetsing Arbeidsbemiddeling",
    "Landschot & Vermeer Auditors B.V.",
)

STEMS: Final = (
    "Aalscholver", "Appelvink", "Baardman", "Bergeend", "Blauwborst", "Boomklever", "Bosuil", "Buizerd",
    "Dodaars", "Fazant", "Fluiter", "Fuut", "Geelgors", "Goudvink", "Grutto", "Heggenmus", "Kemphaan",
    "Kiekendief", "Kievit", "Kneu", "Koekoek", "Kokmeeuw", "Kwartel", "Leeuwerik", "Lepelaar",
    "Meerkoet", "Nachtegaal", "Ooievaar", "Oeverloper", "Patrijs", "Pimpelmees", "Pluvier",
    "Purperreiger", "Rietgors", "Roerdomp", "Roodborst", "Scholekster", "Sperwer", "Steltkluut",
    "Tapuit", "Tjiftjaf", "Torenvalk", "Tureluur", "Visdief", "Waterhoen", "Wielewaal", "Winterkoning",
    "Wulp", "IJsvogel", "Zilverreiger",
)  # fmt: skip
GROUNDS: Final = (
    "Akker", "Berg", "Bosch", "Brink", "Broek", "Dijk", "Duin", "Es", "Gaarde", "Geest", "Griend",
    "Haven", "Heide", "Hoek", "Horst", "Kamp", "Kreek", "Kwelder", "Landgoed", "Meer", "Oord", "Plas",
    "Polder", "Rand", "Schans", "Sluis", "Terp", "Veen", "Veld", "Vliet", "Waard", "Wetering", "Zand",
    "Zoom",
)  # fmt: skip
TRADES: Final = (
    "Uitzendbureau", "Uitzendgroep", "Flexwerk", "Personeelsdiensten", "Detachering", "Agro Uitzend",
    "Bouwdetachering", "Logistiek Flex", "Tuinbouwkrachten", "Techniek & Montage", "Schoonmaakkrachten",
    "Payroll", "Werkt", "Uitzenden",
)  # fmt: skip
LEGAL_FORMS: Final = ("B.V.", "B.V.", "B.V.", "V.O.F.", "Holding B.V.", "Nederland B.V.")

STREETS: Final = (
    "Ambachtsweg", "Bedrijvenweg", "Distributieweg", "Edisonstraat", "Fabrieksweg", "Gasthuiskade",
    "Handelskade", "Industrieweg", "Kerkstraat", "Koopvaardijweg", "Looiersgracht", "Marktplein",
    "Molendijk", "Nijverheidsweg", "Oude Haven", "Parallelweg", "Rietveldlaan", "Schipperskade",
    "Spoorlaan", "Stationsstraat", "Transportweg", "Veilingweg", "Watermolenweg", "Zeilmakerij",
)  # fmt: skip

# A place and the first and last number of its postcodes.
PLACES: Final = (
    ("Almere", 1311, 1359), ("Amsterdam", 1011, 1108), ("Apeldoorn", 7311, 7339),
    ("Barneveld", 3771, 3773), ("Breda", 4811, 4839), ("'s-Hertogenbosch", 5211, 5237),
    ("Dordrecht", 3311, 3329), ("Dronten", 8251, 8255), ("Eindhoven", 5611, 5658),
    ("Emmeloord", 8301, 8305), ("Enschede", 7511, 7548), ("Groningen", 9711, 9747),
    ("Heerenveen", 8441, 8448), ("Helmond", 5701, 5709), ("Hoofddorp", 2131, 2135),
    ("Horst", 5961, 5962), ("Leeuwarden", 8911, 8941), ("Naaldwijk", 2671, 2673), ("Oss", 5341, 5349),
    ("Roermond", 6041, 6049), ("Roosendaal", 4701, 4709), ("Rotterdam", 3011, 3089),
    ("Tiel", 4001, 4007), ("Tilburg", 5011, 5049), ("Utrecht", 3511, 3585), ("Veghel", 5461, 5467),
    ("Venlo", 5911, 5928), ("Venray", 5801, 5804), ("Waalwijk", 5141, 5146), ("Zaltbommel", 5301, 5301),
    ("Zundert", 4881, 4882), ("Zwolle", 8011, 8045),
)  # fmt: skip
POSTCODE_LETTERS: Final = "ABCDEGHJKLMNPRTVWXZ"
