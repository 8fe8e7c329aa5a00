# ruff: noqa: E501 - page templates and word lists read better unbroken
"""Templates that the rules were not improved on: other kinds of documents, layouts and wordings than in development.

Keep it so: look at the table they give, not at the single errors. Move a template to development before working on it.
"""

from bench.quality.development import Made, Template
from bench.quality.scene import Scene


def software_invoice(s: Scene) -> Made:
    """A web shop or subscription invoice: labels in a grey column, parties side by side."""
    firm, client, number = s.firm(), s.firm(), s.number(s.pick("F-", "2024/", "A7C"), 5)
    items = s.items(2)
    net, tax, gross = s.sums(items)
    due = s.later(14)
    cells = "".join(f"<tr><td>{n}<td>{c}<td class=r>{s.money(c * p)}" for n, c, p in items)
    if s.language == "de":
        body = f"""<h1>Rechnung {number}</h1><table><tr><td><b>Von</b><br>{firm}<br>{s.street()}<br>{s.town()}<td><b>Rechnungsempfänger</b><br>{client}<br>{s.street()}<br>{s.town()}<td><b>Ausgestellt am</b><br>{s.short_date()}<br><b>Fällig am</b><br>{s.short_date(due)}</table>
        <table style="margin-top:8mm"><tr><th>Leistung<th>Anzahl<th class=r>Betrag</tr>{cells}</table><table style="margin-left:50%;width:50%"><tr><td>Zwischensumme<td class=r>{s.money(net)}<tr><td>Umsatzsteuer 19,00 %<td class=r>{s.money(tax)}<tr><td>Gesamt<td class=r>{s.money(gross)}</table><p class=small>Leistungszeitraum {s.short_date(s.later(-30))} – {s.short_date(s.later(-1))}. Seite 1 von 1</p>"""
    else:
        body = f"""<table><tr><td><h1>Invoice</h1><td class=r><b>{firm}</b></table><table style="width:60%"><tr><td><b>Invoice number</b><td>{number}<tr><td><b>Date of issue</b><td>{s.long_date()}<tr><td><b>Date due</b><td>{s.long_date(due)}</table>
        <table style="margin-top:6mm"><tr><td><b>{firm}</b><br>{s.street()}<br>{s.town()}<td><b>Bill to</b><br>{client}<br>{s.street()}<br>{s.town()}</table><h2>{s.money(gross)} due {s.long_date(due)}</h2>
        <table><tr><th>Description<th>Qty<th class=r>Amount</tr>{cells}</table><table style="margin-left:50%;width:50%"><tr><td>Subtotal<td class=r>{s.money(net)}<tr><td>{"VAT - United Kingdom (20%)" if s.country == "uk" else "Sales tax (7%)"}<td class=r>{s.money(tax)}<tr><td>Total<td class=r>{s.money(gross)}<tr><td><b>Amount due</b><td class=r><b>{s.money(gross)}</b></table>"""
    return body, {
        "document_type": "invoice",
        "sender": firm,
        "recipient": client,
        "document_date": s.day,
        "due_date": due,
        "reference_number": number,
        "total": gross,
        "title": [number],
    }


def purchase_order(s: Scene) -> Made:
    buyer, vendor, number, items = s.firm(), s.firm(), s.number("4500", 6), s.items()
    net, tax, gross = s.sums(items)
    rows = "".join(
        f"<tr><td>{10 * i}<td>{n}<td>{c}<td class=r>{s.money(p)}<td class=r>{s.money(c * p)}"
        for i, (n, c, p) in enumerate(items, 1)
    )
    if s.language == "de":
        body = f"""<p class=small>{buyer} | {s.street()} | {s.town()}</p><p>Firma<br>{vendor}<br>{s.street()}<br>{s.town()}</p><table><tr><td><h2>Bestellung {number}</h2><td class=r>Bestelldatum: {s.short_date()}<br>Ihre Lieferantennr.: {s.number("", 5)}</table><p>Wir bestellen zu unseren Einkaufsbedingungen. Liefertermin: {s.short_date(s.later(20))}</p><table>{rows}<tr><td><td><td><td>Gesamtnettowert<td class=r>{s.money(net)}<tr><td><td><td><td>Gesamtbetrag inkl. MwSt.<td class=r>{s.money(gross)}</table>"""
    else:
        body = f"""<table><tr><td><h1>PURCHASE ORDER</h1><td class=r>PO #: {number}<br>PO Date: {s.short_date()}</table><p>{buyer}<br>{s.street()}<br>{s.town()}</p><table><tr><td><b>Vendor</b><br>{vendor}<br>{s.street()}<br>{s.town()}<td><b>Ship to</b><br>{buyer}<br>{s.street()}<br>{s.town()}</table><table>{rows}<tr><td><td><td>Subtotal<td class=r>{s.money(net)}<tr><td><td><td>Tax<td class=r>{s.money(tax)}<tr><td><td><td><b>Order total</b><td class=r>{s.money(gross)}</table>"""
    return body, {"document_type": "order", "document_date": s.day, "reference_number": number, "total": gross} | (
        {"sender": buyer, "recipient": vendor} if s.language == "de" else {}
    )


def credit_note(s: Scene) -> Made:
    firm, person, number, amount = (
        s.firm(),
        s.person(),
        s.number("GS-" if s.language == "de" else "CN", 5),
        s.price(10, 300),
    )
    if s.language == "de":
        body = f"""<div class=right>{firm}<br>{s.street()}<br>{s.town()}</div><p>{person}<br>{s.street()}<br>{s.town()}</p><h1>Gutschrift</h1><table><tr><td>Gutschriftsnummer<td>{number}<tr><td>Datum<td>{s.short_date()}<tr><td>zur Rechnung<td>{s.number("R", 5)} vom {s.short_date(s.later(-20))}</table><p>Aufgrund Ihrer Rücksendung schreiben wir Ihnen gut:</p><table><tr><td>Gutschriftsbetrag<td class=r>{s.money(amount)}</table>"""
    else:
        body = f"""<table><tr><td>{firm}<br>{s.street()}<br>{s.town()}<td class=r><h1>CREDIT NOTE</h1></table><p>Customer:<br>{person}<br>{s.street()}<br>{s.town()}</p><p>Credit note no.: {number}</p><p>Date: {s.long_date()}</p><p>Original invoice: {s.number("INV", 5)}</p><p>Reason: returned goods</p><p><b>Total credit: {s.money(amount)}</b></p>"""
    return body, {
        "document_type": "credit_note",
        "sender": firm,
        "recipient": person,
        "document_date": s.day,
        "reference_number": number,
        "total": amount,
    }


def certificate(s: Scene) -> Made:
    person = s.person()
    if s.language == "de":
        body = f"""<div style="text-align:center;margin-top:40mm"><h1>Teilnahmebescheinigung</h1><p>Hiermit wird bescheinigt, dass</p><h2>{person}</h2><p>geboren am 03.11.1990</p><p>am Seminar „Arbeitssicherheit im Lager“ erfolgreich teilgenommen hat.</p><p>Regensburg, den {s.long_date()}</p></div>"""
    else:
        body = f"""<div style="text-align:center;margin-top:40mm"><h1>Certificate of Completion</h1><p>This is to certify that</p><h2>{person}</h2><p>has successfully completed the course</p><h2>Workplace First Aid</h2><p>Awarded on {s.long_date()}</p></div>"""
    return body, {
        "document_type": "certificate",
        "recipient": person,
        "document_date": s.day,
        "title": ["Teilnahmebescheinigung" if s.language == "de" else "Certificate of Completion"],
        "total": None,
    }


def medical(s: Scene) -> Made:
    person = s.person()
    if s.language == "de":
        body = f"""<h2>Gemeinschaftspraxis Dr. med. Hellwig</h2><p>{s.street()} · {s.town()}</p><p class=r>{s.short_date()}</p><h1>Befundbericht</h1><p>Patient: {person}, geb. 22.05.1961</p><p>Diagnose: arterielle Hypertonie (ICD I10)</p><p>Anamnese: Der Patient klagt über Kopfschmerzen. Die Untersuchung war unauffällig.</p><p>Therapie: Medikation wie bisher.</p><p>Mit freundlichen kollegialen Grüßen</p><p>Dr. med. Hellwig</p>"""
        sender = "Gemeinschaftspraxis Dr. med. Hellwig"
    else:
        sender = "Riverside Community Hospital"
        body = f"""<h2>{sender}</h2><h1>Discharge Summary</h1><table><tr><td>Patient: {person}<td>DOB: 05/22/1961<tr><td>Admission date: {s.short_date(s.later(-4))}<td>Date of report: {s.short_date()}</table><p>Diagnosis: Pneumonia</p><p>History: The patient was admitted with fever and cough. Physical examination was otherwise normal.</p><p>Medications: Amoxicillin 500 mg</p>"""
    return body, {
        "document_type": "medical",
        "sender": sender,
        "recipient": person,
        "document_date": s.day,
        "total": None,
    }


def cv(s: Scene) -> Made:
    person = s.person()
    if s.language == "de":
        body = f"""<h1>Lebenslauf</h1><p>{person}<br>{s.street()}, {s.town()}<br>geboren am 12.01.1988</p><h2>Berufserfahrung</h2><p>seit 04/2016 Sachbearbeiterin, {s.firm()}</p><h2>Ausbildung</h2><p>2008 – 2011 Kauffrau für Büromanagement</p><h2>Sprachkenntnisse</h2><p>Englisch fließend, Spanisch Grundkenntnisse</p>"""
    else:
        body = f"""<h1>{person}</h1><p>{s.street()}, {s.town()} | 555 0134 | mail@home.net</p><h2>Professional Summary</h2><p>Accountant with ten years of experience in the field.</p><h2>Work Experience</h2><p>{s.firm()}, Senior Accountant, 2015 – present</p><h2>Education</h2><p>Bachelor of Science, 2012</p><h2>Skills</h2><p>Spreadsheets, bookkeeping</p>"""
    return body, {"document_type": "cv", "document_date": None, "total": None}


def manual(s: Scene) -> Made:
    if s.language == "de":
        body = """<h1>Bedienungsanleitung</h1><h2>Wasserkocher WK 2200</h2><h2>1 Sicherheitshinweise</h2><p>Lesen Sie diese Anleitung sorgfältig, bevor Sie das Gerät benutzen. Tauchen Sie das Gerät nie in Wasser.</p><h2>2 Inbetriebnahme</h2><p>Füllen Sie den Wasserkocher und drücken Sie den Schalter.</p><h2>3 Reinigung</h2><p>Wischen Sie das Gehäuse mit einem feuchten Tuch ab.</p><h2>4 Entsorgung</h2><p>Altgeräte gehören nicht in den Hausmüll.</p>"""
    else:
        body = """<h1>KX-40 Cordless Drill</h1><h2>Owner's Manual</h2><h2>Safety Instructions</h2><p>WARNING: Read all safety warnings before you use this appliance. Keep children away from the tool.</p><h2>Troubleshooting</h2><p>If the drill does not start, charge the battery and press the switch again.</p><h2>Specifications</h2><p>Voltage 18 V, weight 1.4 kg</p>"""
    return body, {"document_type": "manual", "document_date": None, "total": None, "sender": None, "recipient": None}


def form(s: Scene) -> Made:
    if s.language == "de":
        body = "<h1>Aufnahmeantrag</h1><p>Turnverein Eiche 1904 e.V.</p><p>Bitte in Druckbuchstaben ausfüllen. Zutreffendes bitte ankreuzen.</p><p>Name: ______________ Vorname: ______________</p><p>Geburtsdatum: __________ Telefon: __________</p><p>☐ Jugendliche ☐ Erwachsene ☐ Familie</p><p>Ort, Datum ______________ Unterschrift ______________</p>"
    else:
        body = "<h1>Membership Application Form</h1><p>Please print clearly and complete all sections.</p><p>First name: ____________ Last name: ____________</p><p>Date of birth: __________ Phone: __________</p><p>☐ Adult ☐ Junior ☐ Family</p><p>Signature: ________________ Date: ____________</p><p>For office use only</p>"
    return body, {
        "document_type": "form",
        "document_date": None,
        "total": None,
        "recipient": None,
        "reference_number": None,
    }


def newsletter(s: Scene) -> Made:
    if s.language == "de":
        body = "<h1>Stadtteil-Rundbrief</h1><p>Ausgabe 3</p><p>Liebe Leserinnen und Leser,</p><p>der Frühling ist da, und im Viertel tut sich viel. In dieser Ausgabe berichten wir über den neuen Spielplatz.</p><h2>Termine</h2><p>Flohmarkt am Samstag, Konzert am Sonntag.</p><p class=small>Impressum: Redaktion Rundbrief. Newsletter abbestellen</p>"
    else:
        body = "<h1>The Garden Club Newsletter</h1><p>Issue 12</p><p>Dear readers,</p><p>Spring is here and there is plenty to do. In this issue we look at the best plants for shade.</p><h2>Upcoming events</h2><p>Plant swap on Saturday, talk on Sunday.</p><p class=small>Follow us. Unsubscribe at any time.</p>"
    return body, {
        "document_type": "newsletter",
        "document_date": None,
        "total": None,
        "title": ["Rundbrief" if s.language == "de" else "Garden Club"],
    }


def warranty(s: Scene) -> Made:
    firm = s.firm()
    if s.language == "de":
        body = f"<h1>Garantiekarte</h1><p>{firm}</p><p>Auf dieses Produkt gewähren wir eine Garantie von 24 Monaten ab Kaufdatum auf Material- und Herstellungsfehler.</p><p>Modell: TR-55</p><p>Seriennummer: {s.number('TR55-', 7)}</p><p>Kaufdatum: {s.short_date()}</p><p>Im Garantiefall senden Sie das Gerät mit dem Kaufbeleg an den Händler.</p>"
    else:
        body = f"<h1>Limited Warranty</h1><p>{firm} warrants this product against defects in material and workmanship for two years from the date of purchase.</p><p>Model: TR-55</p><p>Serial number: {s.number('TR55-', 7)}</p><p>If the product fails, we will repair or replace it free of charge. Keep your proof of purchase.</p>"
    return body, {"document_type": "warranty", "total": None}


def authority_letter(s: Scene) -> Made:
    person, number = s.person(), s.number("II/", 2) + "-" + s.number("", 4)
    if s.language == "de":
        body = f"""<table><tr><td><h2>Stadt Hohenfels</h2>Ordnungsamt<td class=r>Auskunft erteilt: {s.person()}<br>Zimmer: 214<br>Mein Zeichen: {number}<br>Datum: {s.short_date()}</table><p class=small>Stadt Hohenfels, Rathausplatz 1, {s.town()}</p><p>Herrn<br>{person}<br>{s.street()}<br>{s.town()}</p><p><b>Sperrung Ihrer Straße wegen Bauarbeiten</b></p><p>Sehr geehrter Herr {person.split()[-1]},</p><p>wegen der Erneuerung der Wasserleitung muss Ihre Straße ab dem {s.short_date(s.later(25))} gesperrt werden. Ihr Schreiben vom {s.short_date(s.later(-8))} haben wir erhalten.</p><p>Mit freundlichen Grüßen<br>Im Auftrag</p><p>{s.person()}</p>"""
        sender, title = "Stadt Hohenfels", "Sperrung Ihrer Straße wegen Bauarbeiten"
    else:
        sender, title = "Dunmore County Council", "Temporary closure of your road"
        body = f"""<h2>{sender}</h2><p>Our ref: {number}<br>Your ref: {s.number("", 4)}</p><p>{s.long_date()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p><p>Dear {person},</p><p><b>{title}</b></p><p>Thank you for your letter of {s.long_date(s.later(-8))}. I am writing to inform you that your road will be closed from {s.long_date(s.later(25))} while the water main is replaced.</p><p>Yours faithfully</p><p>{s.person()}<br>Highways Officer</p>"""
    return body, {
        "document_type": "letter",
        "sender": sender,
        "recipient": person,
        "document_date": s.day,
        "reference_number": number,
        "title": [title],
        "total": None,
    }


TEMPLATES: dict[str, tuple[Template, str]] = {
    "software_invoice": (software_invoice, "de us uk"), "purchase_order": (purchase_order, "de us"), "credit_note": (credit_note, "de uk"),     "certificate": (certificate, "de us"), "medical": (medical, "de us"), "cv": (cv, "de us"), "manual": (manual, "de uk"), "form": (form, "de us"), "newsletter": (newsletter, "de uk"),
    "warranty": (warranty, "de us"), "authority_letter": (authority_letter, "de uk"), }  # fmt: skip
