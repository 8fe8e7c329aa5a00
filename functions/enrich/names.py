"""Names of people and organisations: what can be one, and where it ends on its line."""

import re

from functions.enrich.wording import words_of

LEGAL_FORM = re.compile(
    r"(?<![\w])(?:GmbH|gGmbH|mbH|AG|KGaA|OHG|KG|UG(?: \(haftungsbeschränkt\))?|GbR|e\.\s?K\.|e\.\s?V\.|eG|SE|"
    r"PartG(?:\s?mbB)?|Ltd\.?|Limited|LLC|L\.L\.C\.|LLP|Inc\.?|"
    r"Corp\.?|Corporation|Co\.|PLC|plc|Pty|S\.?A\.?R\.?L\.?|SARL|SAS|S\.A\.S\.?|S\.A\.?|SA|S\.L\.U?\.?|"
    r"S\.p\.A\.?|SpA|S\.r\.l\.?|Srl|B\.\s?V\.|BV|N\.\s?V\.|NV|AB|A/S|ApS|Oy|"
    r"(?:Sdn|SDN)\.?\s?(?:Bhd|BHD)\.?|S/B|LTD\.?|INC\.?|LIMITED|ENTERPRISE|TRADING|VVaG|a\.\s?G\.|AöR|KdöR|"
    r"Genossenschaft|Stiftung|Foundation)(?![\w])"
)
INSTITUTION = re.compile(
    r"(?<![^\W_])(?:\w*(?:finanzamt|sparkasse|volksbank|raiffeisenbank|stadtwerke|krankenkasse|krankenhaus|"
    r"klinikum|versicherung(?:en)?|universität|hochschule|behörde|landratsamt|"
    r"bürgeramt|hausverwaltung|praxis|apotheke|kanzlei|rechtsanwälte|gymnasium|grundschule|labor|amtsgericht|"
    r"hotel|restaurant|autohaus|werkstatt|verlag|bäckerei|zentrum|energie|wasserwerke)|"
    r"stadt|gemeinde|landkreis|amt|dr\. med\.|verein|bank|insurance|university|college|hospital|clinic|"
    r"council|department|ministry|office|school|association|society|institute|"
    r"services?|solutions|group|systems|energy|electric|water|utilities|medical|health(?:care)?|dental|"
    r"pharmacy|store|supermarket|market|shop|restaurant|cafe|café|bakery|law|"
    r"partners|associates|consulting|studio|agency|company|enterprises|trading|industries|mutual|trust|county|"
    r"city of|mairie|préfecture|ayuntamiento|comune|gemeente)(?![^\W_])",
    re.IGNORECASE,
)
SEPARATORS = re.compile(r"\s*[·•|●∙*–—<\[]\s*|\s+-\s+|,\s+")
CONTACT = re.compile(
    r"@|https?:|www\.|\btel\b|\bphone\b|\bfax\b|telefon|\+\d{2}|\bIBAN\b|\bBIC\b|\bUSt|\bVAT\b|steuernummer|"
    r"\bHRB\b|amtsgericht|geschäftsführ|seite \d|page \d",
    re.IGNORECASE,
)
TITLE_ONLY = re.compile(
    r"^(?:herrn?|frau|firma|fa\.|familie|eheleute|mr\.?|mrs\.?|ms\.?|miss|mme|m\.|monsieur|madame|señora?|"
    r"sr\.?|sra\.?|an|to|an die|an den|persönlich(?:/vertraulich)?|private and confidential|"
    r"einschreiben.*)[:,]?$",
    re.IGNORECASE,
)
_OWNER = re.compile(r"^(?:inh\.|inhaber|prop\.|proprietor|owner|c/o|z\. ?hd|attn)", re.IGNORECASE)
FIELD_LABEL = re.compile(r"^[^:]{2,30}:(?:\s|$)|(?:nummer|number|nr\.|no\.|datum|\bdate)(?![^\W_])", re.IGNORECASE)


CLOSING = re.compile(
    r"^(?:mit (?:freundlichen?|besten?|herzlichen?|vielen) grü(?:ß|ss)en?|freundliche grüße|beste grüße|"
    r"viele grüße|herzliche grüße|hochachtungsvoll|yours (?:sincerely|faithfully|truly)|sincerely(?: yours)?|"
    r"(?:kind|best|warm) regards|regards|best wishes|respectfully|cordialement|bien à vous|atentamente|"
    r"saludos(?: cordiales)?|un saludo|cordiali saluti|distinti saluti|met vriendelijke groet(?:en)?)[\s,.!]*$",
    re.IGNORECASE,
)


def is_name(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    return (
        letters >= 2
        and len(text) <= 80
        and letters >= 0.6 * len(text.replace(" ", ""))
        and not CONTACT.search(text)
        and not TITLE_ONLY.match(text)
        and not _OWNER.match(text)
        and (not re.search(r"[^\W\d_]{4,}[.!?]$", text) or bool(re.search(r"(?:Corp|Bhd|BHD)\.$", text)))
        and any(character.isupper() for character in text)
        and len(text.split()) <= 10
        and bool(words_of(LEGAL_FORM.sub("", text)))
    )


def is_company(text: str) -> bool:
    """Whether `text` names an organisation: by legal form or by a word for an institution."""
    return bool(LEGAL_FORM.search(text) or INSTITUTION.search(text))


def name_end(text: str, start: int) -> int:
    """Where a name that begins a line ends: before the street or contact data that follows on the same line."""
    for match in SEPARATORS.finditer(text, start):
        following = text[match.end() :]
        if match.start() > start and not re.match(r"(?:Inc|LLC|Ltd|GmbH|AG|KG|S\.?A|L\.P)\b", following):
            return match.start()
    return len(text)
