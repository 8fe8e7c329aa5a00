"""The words that announce a sender or a recipient."""

import re

from functions.enrich.wording import labels

SENDER_LABELS = labels(
    (
        *(
            "absender",
            "rechnungssteller",
            "rechnungsaussteller",
            "verkäufer",
            "lieferant",
            "auftragnehmer",
            "anbieter",
            "aussteller",
            "arbeitgeber",
            "versicherer",
            "vermieter",
        ),
        *(
            "from",
            "seller",
            "supplier",
            "vendor",
            "issued by",
            "bill from",
            "billed by",
            "invoice from",
            "sold by",
            "employer",
            "provider",
            "sender",
            "remit to",
            "payee",
        ),
        *(
            "prepared by",
            "landlord",
            "insurer",
            "issuer",
            "de la part de",
            "émetteur",
            "vendeur",
            "fournisseur",
            "expéditeur",
            "emisor",
            "vendedor",
            "proveedor",
            "mittente",
            "fornitore",
        ),
        *(
            "cedente",
            "verkoper",
            "afzender",
            "leverancier",
            "von",
            "zahlungsempfänger",
            "kontoinhaber",
            "account name",
            "beneficiary",
        ),
    )
)
RECIPIENT_LABELS = labels(
    (
        *(
            "rechnungsempfänger(?:in)?",
            "rechnungsadresse",
            "rechnungsanschrift",
            "(?:waren|liefer)empfänger(?:in)?",
            "rechnung an",
            "empfänger(?:in)?",
            "kunde",
            "kundin",
            "käufer(?:in)?",
            "auftraggeber(?:in)?",
            "leistungsempfänger(?:in)?",
        ),
        *(
            "versicherungsnehmer(?:in)?",
            "versicherte person",
            "mitarbeiter(?:in)?",
            "arbeitnehmer(?:in)?",
            "patient(?:in)?",
            "mieter(?:in)?",
            "name der? patient(?:en|in)",
            "an",
            "lieferanschrift",
            "lieferadresse",
        ),
        *(
            "bill(?:ed)? to",
            "invoice(?:d)? to",
            "sold to",
            "customer(?: name)?",
            "client(?: name)?",
            "buyer",
            "recipient",
            "to",
            "ship to",
            "deliver to",
            "prepared for",
            "quote(?: for| to)",
            "account holder",
        ),
        *(
            "employee(?: name)?",
            "patient(?: name)?",
            "policy ?holder",
            "insured(?: name)?",
            "named insured",
            "tenant",
            "attention",
            "attn",
            "addressee",
            "awarded to",
            "presented to",
            "received from",
        ),
        *(
            "facturé à",
            "adresse de facturation",
            "destinataire",
            "acheteur",
            "facturar a",
            "destinatario",
            "comprador",
            "spett\\.?(?:le)?",
            "fatturare a",
            "acquirente",
            "cessionario",
            "factuur aan",
            "klant",
            "geadresseerde",
        ),
    )
)
WEAK_LABEL = re.compile(
    r"^(?:an|to|von|from|client|cliente|kunde|customer|attention|attn|payee|kontoinhaber|account name|"
    r"beneficiary|zahlungsempfänger|ship to|deliver to|remit to|lieferanschrift|lieferadresse|received from|"
    r"prepared by|de la part de|mieter|tenant|provider)$",
    re.IGNORECASE,
)


def is_label(text: str) -> bool:
    """Whether `text` is nothing but such a word."""
    bare = text.strip(" :")
    return bool(SENDER_LABELS.fullmatch(bare) or RECIPIENT_LABELS.fullmatch(bare))
