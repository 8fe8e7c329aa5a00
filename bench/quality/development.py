# ruff: noqa: E501 - page templates and word lists read better unbroken
"""Templates that the rules may be improved on. Each makes HTML and the labels that a careful reader would give."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bench.quality.scene import Scene

Made = tuple[str, dict[str, Any]]
Template = Callable[[Scene], Made]


def _rows(s: Scene, items: list[Any]) -> str:
    return "".join(
        f"<tr><td>{i}<td>{n}<td class=r>{c}<td class=r>{s.money(p, True)}<td class=r>{s.money(c * p, True)}"
        for i, (n, c, p) in enumerate(items, 1)
    )


def din_invoice(s: Scene) -> Made:
    firm, person, number, items = s.firm(), s.person(), s.number("RE-"), s.items()
    net, tax, gross = s.sums(items)
    due = s.later(14)
    body = f"""<div class=right><b>{firm}</b><br>{s.street()}<br>{s.town()}<br>Tel. 0251 448822<br>info@firma.de</div>
    <div class=small style="margin-top:12mm">{firm} · {s.street()} · {s.town()}</div><div>{s.pick("Herrn<br>", "Frau<br>", "")}{person}<br>{s.street()}<br>{s.town()}</div>
    <table style="margin-top:10mm"><tr><td>{s.pick("Rechnungsnummer", "Rechnungs-Nr.", "Rechnung Nr.")}: {number}<td>Kundennummer: {s.number("", 5)}<td>{s.pick("Rechnungsdatum", "Datum")}: {s.short_date()}</table>
    <h1>Rechnung</h1><p>Sehr geehrte Damen und Herren, für die Lieferung vom {s.short_date(s.later(-6))} berechnen wir Ihnen:</p>
    <table><tr><th>Pos<th>Bezeichnung<th>Menge<th>Einzelpreis<th>Gesamt</tr>{_rows(s, items)}
    <tr><td><td colspan=3>Nettobetrag<td class=r>{s.money(net)}<tr><td><td colspan=3>zzgl. 19 % MwSt.<td class=r>{s.money(tax)}
    <tr><td><td colspan=3><b>{s.pick("Gesamtbetrag", "Rechnungsbetrag", "Endbetrag", "Gesamtsumme brutto")}</b><td class=r><b>{s.money(gross)}</b></table>
    <p>{s.pick(f"Zahlbar bis zum {s.short_date(due)} ohne Abzug.", "Zahlbar innerhalb von 14 Tagen ohne Abzug.", f"Bitte überweisen Sie den Betrag bis zum {s.short_date(due)}.")}</p>
    <p class=small>{firm} · Sparkasse · IBAN DE02 1203 0000 0000 2020 51 · USt-IdNr. DE123456789 · Amtsgericht HRB 4711</p>"""
    return body, {
        "document_type": "invoice",
        "sender": firm,
        "recipient": person,
        "document_date": s.day,
        "due_date": due,
        "reference_number": number,
        "total": gross,
        "title": ["Rechnung", number],
    }


def us_invoice(s: Scene) -> Made:
    firm, client, number, items = s.firm(), s.person(), s.number("INV-", 5), s.items()
    net, tax, gross = s.sums(items)
    due = s.later(30)
    body = f"""<table><tr><td><h1>{firm}</h1>{s.street()}<br>{s.town()}<td class=r><h1>INVOICE</h1>Invoice # {number}<br>Date: {s.any_date()}<br>Due Date: {s.any_date(due)}</table>
    <p><b>Bill To:</b><br>{client}<br>{s.street()}<br>{s.town()}</p>
    <table><tr><th>#<th>Description<th class=r>Qty<th class=r>Rate<th class=r>Amount</tr>{_rows(s, items)}</table>
    <table style="width:50%;margin-left:50%"><tr><td>Subtotal<td class=r>{s.money(net)}<tr><td>Tax<td class=r>{s.money(tax)}<tr><td><b>{s.pick("Total", "Total Due", "Balance Due", "Amount Due")}</b><td class=r><b>{s.money(gross)}</b></table>
    <p>Thank you for your business! Please make checks payable to {firm}.</p>"""
    return body, {
        "document_type": "invoice",
        "sender": firm,
        "recipient": client,
        "document_date": s.day,
        "due_date": due,
        "reference_number": number,
        "total": gross,
        "title": ["Invoice", number],
    }


def de_letter(s: Scene) -> Made:
    person, firm, contract = s.person(), s.firm(), s.number("V", 7)
    body = f"""{person}<br>{s.street()}<br>{s.town()}<p style="margin-top:15mm">{firm}<br>{s.street()}<br>{s.town()}</p><p class=r>{s.town().split(" ", 1)[1]}, {s.pick("den ", "")}{s.any_date()}</p>
    <p><b>{s.pick("Betreff: ", "")}Kündigung meines Vertrags Nr. {contract}</b></p><p>Sehr geehrte Damen und Herren,</p><p>hiermit kündige ich den oben genannten Vertrag fristgerecht zum {s.short_date(s.later(90))}. Bitte bestätigen Sie mir den Eingang dieses Schreibens.</p>
    <p>Mit freundlichen Grüßen</p><p>{person}</p>"""
    return body, {
        "document_type": "letter",
        "sender": person,
        "recipient": firm,
        "document_date": s.day,
        "reference_number": contract,
        "title": ["Kündigung"],
    }


def en_letter(s: Scene) -> Made:
    person, firm = s.person(), s.firm()
    body = f"""<div class=right><b>{firm}</b><br>{s.street()}<br>{s.town()}</div><p style="margin-top:10mm">{s.any_date()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p>
    <p>Dear {s.pick("Mr", "Ms")} {person.split()[-1]},</p><p><b>{s.pick("Re: ", "")}Changes to your service plan</b></p><p>We are writing to let you know that the terms of your plan will change next spring. You do not need to do anything at this time.</p>
    <p>Yours sincerely,</p><p>{s.person()}<br>Customer Relations</p>"""
    return body, {
        "document_type": "letter",
        "sender": firm,
        "recipient": person,
        "document_date": s.day,
        "title": ["Changes to your service plan"],
    }


def reminder(s: Scene) -> Made:
    firm, person, invoice, amount, due = s.firm(), s.person(), s.number("", 6), s.price(20, 2000), s.later(10)
    if s.language == "de":
        body = f"""<h2>{firm}</h2><p class=small>{firm}, {s.street()}, {s.town()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p><p class=r>Datum: {s.short_date()}</p><h2>{s.pick("Zahlungserinnerung", "1. Mahnung", "Mahnung")}</h2>
        <p>Sehr geehrte Damen und Herren,</p><p>zu unserer Rechnung Nr. {invoice} vom {s.short_date(s.later(-40))} konnten wir noch keinen Zahlungseingang feststellen.</p><table><tr><td>Offener Betrag<td class=r>{s.money(amount)}</table><p>Bitte überweisen Sie den Betrag bis zum {s.short_date(due)}.</p><p>Mit freundlichen Grüßen<br>{firm}</p>"""
    else:
        body = f"""<h2>{firm}</h2><p>{s.street()}, {s.town()}</p><p>Date: {s.long_date()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p><h2>{s.pick("Payment Reminder", "Overdue Notice", "FINAL NOTICE")}</h2><p>Invoice number: {invoice}</p>
        <p>Our records show that the invoice dated {s.long_date(s.later(-40))} is overdue.</p><p>Amount outstanding: {s.money(amount)}</p><p>Please pay by {s.long_date(due)}.</p><p>Kind regards<br>{firm}</p>"""
    return body, {
        "document_type": "reminder",
        "sender": firm,
        "recipient": person,
        "document_date": s.day,
        "due_date": due,
        "reference_number": invoice,
        "total": amount,
    }


def till_slip(s: Scene) -> Made:
    shop, items = s.firm(), s.items()
    gross = sum(c * p for _, c, p in items)
    de = s.language == "de"
    lines = "".join(f"<tr><td>{n}<td class=r>{s.money(c * p, True)}" for n, c, p in items)
    body = f"""<div style="text-align:center"><b>{shop}</b><br>{s.street()}<br>{s.town()}</div><table>{lines}<tr><td><b>{"SUMME EUR" if de else "TOTAL"}</b><td class=r><b>{s.money(gross, True)}</b>
    <tr><td>{"Bar" if de else "CASH"}<td class=r>{s.money(gross + 5, True)}<tr><td>{"Rückgeld" if de else "CHANGE"}<td class=r>{s.money(5, True)}</table><p>{s.short_date()} 14:37 {"Kasse" if de else "Till"} 2 {"Bon-Nr" if de else "Receipt No"}: {s.number("", 5)}</p><p>{"Vielen Dank für Ihren Einkauf!" if de else "Thank you, please come again"}</p>"""
    return body, {
        "document_type": "receipt",
        "sender": shop,
        "document_date": s.day,
        "total": gross,
        "_size": "80mm 190mm",
    }


def contract(s: Scene) -> Made:
    a, b = s.firm(), s.person()
    if s.language == "de":
        body = f"""<h1>Mietvertrag</h1><p>zwischen</p><p>{a}, {s.street()}, {s.town()}<br>- nachfolgend Vermieter genannt -</p><p>und</p><p>{b}, {s.street()}, {s.town()}<br>- nachfolgend Mieter genannt -</p><h2>§ 1 Mietsache</h2><p>Vermietet wird die Wohnung im zweiten Obergeschoss.</p><h2>§ 2 Miete</h2><p>Die Miete beträgt monatlich {s.money(s.price(400, 900))}.</p><h2>§ 3 Kündigungsfrist</h2><p>Die gesetzliche Frist gilt.</p><p>{s.town().split(" ", 1)[1]}, den {s.short_date()}</p><p>______________ Vermieter &nbsp; ______________ Mieter</p>"""
    else:
        body = f"""<h1>Service Agreement</h1><p>This Agreement is entered into as of {s.long_date()} by and between {a} ("Provider") and {b} ("Client").</p><h2>1. Services</h2><p>The Provider shall perform the services described in Schedule A. The parties agree to the terms herein.</p><h2>2. Termination</h2><p>Either party may terminate this Agreement upon thirty days notice.</p><h2>3. Governing Law</h2><p>This Agreement shall be governed by the laws of the state.</p><p>IN WITNESS WHEREOF, the parties have executed this Agreement.</p>"""
    return body, {
        "document_type": "contract",
        "document_date": s.day,
        "title": ["Mietvertrag" if s.language == "de" else "Service Agreement"],
    }


def quote(s: Scene) -> Made:
    firm, person, number, items = s.firm(), s.person(), s.number("AN" if s.language == "de" else "Q-"), s.items()
    net, tax, gross = s.sums(items)
    de = s.language == "de"
    body = f"""<table><tr><td><b>{firm}</b><br>{s.street()}<br>{s.town()}<td class=r>{"Angebotsnummer" if de else "Quote number"}: {number}<br>{"Datum" if de else "Date"}: {s.any_date()}<br>{"Gültig bis" if de else "Valid until"}: {s.any_date(s.later(30))}</table>
    <p>{"An" if de else "To"}:<br>{person}<br>{s.street()}<br>{s.town()}</p><h1>{"Angebot" if de else "Quotation"}</h1><table>{_rows(s, items)}<tr><td><td colspan=3>{"Summe netto" if de else "Net total"}<td class=r>{s.money(net)}<tr><td><td colspan=3>{"MwSt. 19 %" if de else "VAT"}<td class=r>{s.money(tax)}<tr><td><td colspan=3>{"Gesamtbetrag" if de else "Grand total"}<td class=r>{s.money(gross)}</table>
    <p>{"Wir freuen uns auf Ihren Auftrag." if de else "We look forward to your order."}</p>"""
    return body, {
        "document_type": "quote",
        "sender": firm,
        "recipient": person,
        "document_date": s.day,
        "reference_number": number,
        "total": gross,
    }


def bank_statement(s: Scene) -> Made:
    person, bank = s.person(), "Sparkasse Westland" if s.language == "de" else "Larkfield Savings Bank"
    de = s.language == "de"
    rows = "".join(
        f"<tr><td>{s.short_date(s.later(-d))}<td>{s.firm()}<td class=r>{s.money(s.price(), True)}-" for d in (20, 14, 3)
    )
    body = f"""<h2>{bank}</h2><p>{person}<br>{s.street()}<br>{s.town()}</p><h1>{"Kontoauszug" if de else "Account Statement"}</h1><p>{"Auszugsdatum" if de else "Statement date"}: {s.short_date()}</p><p>{"Kontonummer" if de else "Account number"}: {s.number("", 8)}</p>
    <table><tr><td>{"Alter Kontostand" if de else "Opening balance"}<td><td class=r>{s.money(s.price())}</tr>{rows}<tr><td>{"Neuer Kontostand" if de else "Closing balance"}<td><td class=r>{s.money(s.price())}</table>"""
    return body, {
        "document_type": "bank_statement",
        "sender": bank,
        "recipient": person,
        "document_date": s.day,
        "total": None,
    }


def minutes(s: Scene) -> Made:
    de = s.language == "de"
    names = ", ".join(s.person() for _ in range(4))
    body = f"""<h1>{"Protokoll der Mitgliederversammlung" if de else "Minutes of the Annual Meeting"}</h1><p>{"Datum" if de else "Date"}: {s.long_date()}</p><p>{"Teilnehmer" if de else "Present"}: {names}</p><h2>{"TOP 1 Begrüßung" if de else "1. Call to order"}</h2><p>{"Die Sitzung wurde um 19 Uhr eröffnet. Der Bericht wurde einstimmig beschlossen." if de else "The meeting was called to order at seven. The motion was seconded and carried."}</p><h2>{"TOP 2 Verschiedenes" if de else "2. Next meeting"}</h2><p>{"Die nächste Sitzung findet im Mai statt." if de else "The meeting was adjourned at nine."}</p>"""
    return body, {
        "document_type": "minutes",
        "document_date": s.day,
        "title": ["Protokoll der Mitgliederversammlung" if de else "Minutes of the Annual Meeting"],
        "sender": None,
        "recipient": None,
        "total": None,
    }


def report(s: Scene) -> Made:
    de = s.language == "de"
    body = f"""<h1>{"Projektbericht Hochwasserschutz" if de else "Flood Protection Progress Report"}</h1><p>{s.long_date()}</p><h2>{"Zusammenfassung" if de else "Executive Summary"}</h2><p>{"In diesem Bericht werden die Ergebnisse der Messungen vorgestellt. Die Arbeiten liegen im Plan." if de else "This report presents the results of the measurements. The work is on schedule."}</p><h2>{"Ergebnisse" if de else "Findings"}</h2><p>{"Die Pegel sind gesunken, und die Deiche wurden an allen Stellen geprüft." if de else "The levels have fallen, and the dykes were checked at all points."}</p><h2>{"Fazit" if de else "Conclusion"}</h2><p>{"Weitere Maßnahmen sind nicht erforderlich." if de else "No further measures are needed at this time."}</p>"""
    return body, {
        "document_type": "report",
        "document_date": s.day,
        "title": ["Hochwasserschutz" if de else "Flood Protection"],
        "sender": None,
        "recipient": None,
        "total": None,
    }


def email(s: Scene) -> Made:
    a, b = s.person(), s.person()
    de = s.language == "de"
    subject = (
        s.pick("Unterlagen für Dienstag", "Rückfrage zum Ablauf")
        if de
        else s.pick("Papers for Tuesday", "Question about the schedule")
    )
    body = f"""<table><tr><td>{"Von" if de else "From"}:<td>{a} &lt;a.b@mail.org&gt;<tr><td>{"An" if de else "To"}:<td>{b} &lt;c.d@mail.org&gt;<tr><td>{"Datum" if de else "Date"}:<td>{s.long_date()} 09:14<tr><td>{"Betreff" if de else "Subject"}:<td>{subject}</table><hr><p>{"Hallo" if de else "Hello"} {b.split()[0]},</p><p>{"anbei sende ich dir die Unterlagen, die wir am Dienstag besprechen wollen." if de else "please find attached the papers that we want to discuss on Tuesday."}</p><p>{"Viele Grüße" if de else "Best regards"}<br>{a}</p>"""
    return body, {
        "document_type": "letter",
        "sender": a,
        "recipient": b,
        "document_date": s.day,
        "title": [subject],
        "total": None,
    }


def craftsman_invoice(s: Scene) -> Made:
    """A small business's invoice: information block at the right, header table, cash discount, footer columns."""
    firm, person, number, items = s.firm(), s.person(), s.number("", 5), s.items()
    net, tax, gross = s.sums(items)
    rows = "".join(
        f"<tr><td>{c},00<td>Stk<td>{n}<td class=r>{s.money(p, True)}<td class=r>{s.money(c * p, True)}"
        for n, c, p in items
    )
    body = f"""<h1 style="text-align:center">{firm}</h1><p style="text-align:center" class=small>Meisterbetrieb seit 1978 - {s.street()} - {s.town()}</p>
    <table style="margin-top:12mm"><tr><td>Frau<br>{person}<br>{s.street()}<br><br>{s.town()}<td style="width:42%">Auftrags-Nr.: {s.number("", 4)}<br>Kunden-Nr.: {s.number("", 5)}<br>Bearbeiter: {s.person()}<br>Liefertermin: {s.short_date(s.later(-9))}<br>Datum: {s.short_date()}</table>
    <h2>Rechnung Nr. {number}</h2><p class=small>Bitte bei Zahlung und Schriftverkehr stets angeben!</p><table><tr><th>Menge<th>Einh.<th>Beschreibung<th class=r>E-Preis<th class=r>G-Preis</tr>{rows}</table>
    <table style="margin-top:4mm"><tr><td>Summe Netto<td>USt.-Satz<td>Umsatzsteuer<td class=r>Rechnungsbetrag EUR<tr><td>{s.money(net, True)}<td>19,00 %<td>{s.money(tax, True)}<td class=r><b>{s.money(gross, True)}</b></table>
    <p>Zahlungsbedingungen: Zahlbar innerhalb 8 Tagen mit 2 % Skonto oder 30 Tage netto.</p><table class=small style="margin-top:20mm"><tr><td>{firm}<br>{s.street()}<br>{s.town()}<td>Volksbank<br>IBAN DE11 5206 0410 0004 1234 56<td>Geschäftsführer: {s.person()}<br>Steuernummer 337/5921/1044</table>"""
    return body, {
        "document_type": "invoice",
        "sender": firm,
        "recipient": person,
        "document_date": s.day,
        "due_date": s.later(30),
        "reference_number": number,
        "total": gross,
        "title": ["Rechnung", number],
    }


def energy_bill(s: Scene) -> Made:
    person, supplier, number = (
        s.person(),
        s.pick("Stadtwerke Auental", "Lechstrom Energie")
        if s.language == "de"
        else s.pick("Fenland Power", "Lakeside Electric Company"),
        s.number("", 9),
    )
    used, tax, gross = s.price(200, 900), s.price(20, 99), s.price(30, 400)
    due = s.later(16)
    if s.language == "de":
        body = f"""<table><tr><td><h2>{supplier}</h2><td class=r>Seite 1 von 4</table><div class=small>{supplier} · Postfach 1140 · {s.town()}</div>{person}<br>{s.street()}<br>{s.town()}<div class=right>Vertragskontonummer<br><b>{number}</b><br>Rechnungsnummer<br><b>{s.number("VR", 8)}</b><br>{s.short_date()}</div>
        <h2>Ihre Jahresabrechnung Strom</h2><p>Guten Tag, im Zeitraum {s.short_date(s.later(-380))} bis {s.short_date(s.later(-15))} haben Sie 3.412 kWh verbraucht.</p><table><tr><td>Energiekosten (netto)<td class=r>{s.money(used)}<tr><td>Umsatzsteuer 19 %<td class=r>{s.money(tax)}<tr><td>Bezahlte Abschläge<td class=r>-{s.money(used)}<tr><td><b>Nachzahlung</b><td class=r><b>{s.money(gross)}</b></table><p>Den Betrag buchen wir am {s.short_date(due)} von Ihrem Konto ab.</p><p>Zählernummer 1EMH0012345678, Zählerstand 45.120 kWh</p>"""
        reference: Any = None
    else:
        body = f"""<table><tr><td><h1>{supplier}</h1><td class=r>Account number: {number}<br>Bill date: {s.long_date()}</table><p>{person}<br>{s.street()}<br>{s.town()}</p><h2>Your electricity bill</h2><p>Billing period: {s.long_date(s.later(-33))} to {s.long_date(s.later(-3))}</p>
        <table><tr><td>Previous balance<td class=r>{s.money(used)}<tr><td>Payment received, thank you<td class=r>-{s.money(used)}<tr><td>Energy charges 512 kWh<td class=r>{s.money(gross - 3)}<tr><td>Taxes and fees<td class=r>{s.money(Decimal(3))}<tr><td><b>Total amount due</b><td class=r><b>{s.money(gross)}</b><tr><td>Payment due by<td class=r>{s.long_date(due)}</table><p>Meter number 88120045. Current meter reading 20412.</p>"""
        reference = number
    labels = {
        "document_type": "utility_bill",
        "sender": supplier,
        "recipient": person,
        "document_date": s.day,
        "due_date": due,
        "total": gross,
    }
    return body, labels | ({"reference_number": reference} if reference else {})


def payslip(s: Scene) -> Made:
    firm, person, gross, net = s.firm(), s.person(), s.price(2500, 5000), s.price(1500, 2400)
    if s.language == "de":
        body = f"""<table><tr><td><b>Abrechnung der Brutto/Netto-Bezüge</b><td>für {s.long_date().split(" ", 1)[1]}<td class=r>{s.short_date()}</table><table><tr><td>Pers.-Nr.<td>Geburtsdatum<td>StKl<td>Eintritt<tr><td>{s.number("00", 3)}<td>14.07.1985<td>1<td>01.04.2015</table><p class=small>{firm} * {s.street()} * {s.town()}</p><p>Herrn<br>{person}<br>{s.street()}<br>{s.town()}</p>
        <table><tr><td>Gehalt<td class=r>{s.money(gross, True)}<tr><td><b>Gesamt-Brutto</b><td class=r>{s.money(gross, True)}<tr><td>Lohnsteuer<td class=r>{s.money(s.price(200, 400), True)}<tr><td>KV-Beitrag<td class=r>{s.money(s.price(100, 300), True)}<tr><td>Netto-Verdienst<td class=r>{s.money(net, True)}<tr><td><b>Auszahlungsbetrag</b><td class=r><b>{s.money(net, True)}</b></table>"""
    else:
        body = f"""<table><tr><td><b>{firm}</b><br>{s.street()}<br>{s.town()}<td class=r><b>{"PAYSLIP" if s.country == "uk" else "EARNINGS STATEMENT"}</b></table><table><tr><td>Employee: {person}<td>Employee no: {s.number("", 4)}<td>Pay date: {s.short_date()}</table><table><tr><th>Payments<th class=r>Amount<th>Deductions<th class=r>Amount<tr><td>Basic salary<td class=r>{s.money(gross)}<td>{"PAYE tax" if s.country == "uk" else "Federal tax"}<td class=r>{s.money(gross - net)}<tr><td>Gross pay<td class=r>{s.money(gross)}<td><b>Net pay</b><td class=r><b>{s.money(net)}</b></table>"""
    return body, {"document_type": "payslip", "sender": firm, "recipient": person, "document_date": s.day, "total": net}


def tax_notice(s: Scene) -> Made:
    person, number, amount = s.person(), s.number("33/", 3) + "/" + s.number("", 5), s.price(50, 3000)
    due = s.later(34)
    if s.language == "de":
        body = f"""<p>Finanzamt Musterbach<br>Am Stadtpark 2<br>{s.town()}</p><p class=r>Steuernummer {number}<br>(Bitte bei Rückfragen angeben)<br>{s.short_date()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p><h1>Bescheid für {s.day.year - 1} über Einkommensteuer und Solidaritätszuschlag</h1><h2>Festsetzung</h2><p>Die Einkommensteuer wird festgesetzt auf {s.money(amount + 100)}. Bereits abgezogen vom Lohn {s.money(Decimal(100))}.</p><p>Bitte zahlen Sie spätestens bis zum {s.short_date(due)}: {s.money(amount)}</p><h2>Rechtsbehelfsbelehrung</h2><p>Gegen diesen Bescheid können Sie Einspruch einlegen.</p>"""
    else:
        body = f"""<h2>{"HM Revenue & Customs" if s.country == "uk" else "Department of Revenue"}</h2><p>{person}<br>{s.street()}<br>{s.town()}</p><p>Date: {s.long_date()}</p><h1>{"Self Assessment tax calculation" if s.country == "uk" else "Notice of Assessment"}</h1><p>Reference: {number}</p><p>Tax year {s.day.year - 1}. Your taxable income was {s.money(amount * 9)}.</p><p><b>Amount you owe: {s.money(amount)}</b></p><p>Pay this amount by {s.long_date(due)} to avoid interest.</p>"""
    return body, {
        "document_type": "tax",
        "sender": "Finanzamt Musterbach"
        if s.language == "de"
        else "HM Revenue & Customs"
        if s.country == "uk"
        else "Department of Revenue",
        "recipient": person,
        "document_date": s.day,
        "due_date": due,
        "reference_number": number,
    } | ({} if s.language == "de" else {"total": amount}) | ({"total": amount} if s.language == "de" else {})


def card_receipt(s: Scene) -> Made:
    shop, items = (
        s.pick("Café Morgenrot", "Bäckerei Huth")
        if s.language == "de"
        else s.pick("The Corner Deli", "Blue Door Books"),
        s.items(3),
    )
    gross = sum((c * p for _, c, p in items), Decimal(0))
    rows = "".join(f"<tr><td>{c} x {n}<td class=r>{s.money(c * p, True)}" for n, c, p in items)
    if s.language == "de":
        body = f"""<p style="text-align:center">{shop}<br>Inh. {s.person()}<br>{s.street()}, {s.town()}<br>St.-Nr. 22/815/08154</p><table>{rows}<tr><td><b>Zu zahlen EUR</b><td class=r><b>{s.money(gross, True)}</b><tr><td>girocard kontaktlos<td class=r>{s.money(gross, True)}</table><p>MwSt A 19% Netto {s.money(gross / Decimal("1.19"), True)}</p><p>{s.short_date()} 09:12:44 Bediener 3 Beleg 00{s.number("", 4)}</p><p>Es bediente Sie Frau Maier</p>"""
    else:
        body = f"""<p style="text-align:center">{shop}<br>{s.street()}<br>{s.town()}</p><p>{s.short_date()} 9:12 AM</p><p>Server: Dana Check #{s.number("", 3)}</p><table>{rows}<tr><td>Total<td class=r>{s.money(gross)}<tr><td>VISA ****4821<td class=r>{s.money(gross)}</table><p>Approval code 0{s.number("", 5)}</p><p>Customer copy</p>"""
    return body, {
        "document_type": "receipt",
        "sender": shop,
        "document_date": s.day,
        "total": gross,
        "_size": "80mm 170mm",
    }


def shipment(s: Scene) -> Made:
    firm, client, number = s.firm(), s.firm(), s.number("LS" if s.language == "de" else "DN-", 6)
    rows = "".join(f"<tr><td>{s.number('', 5)}<td>{n}<td class=r>{c}" for n, c, _ in s.items())
    if s.language == "de":
        body = f"""<table><tr><td><b>{firm}</b><td class=r>{s.street()}<br>{s.town()}</table><p>Lieferanschrift:<br>{client}<br>Wareneingang<br>{s.street()}<br>{s.town()}</p><h1>Lieferschein</h1><table><tr><th>Lieferschein-Nr.<th>Lieferdatum<th>Ihre Bestellung<tr><td>{number}<td>{s.short_date()}<td>{s.number("B", 5)} vom {s.short_date(s.later(-12))}</table><table><tr><th>Art.-Nr.<th>Artikel<th class=r>Menge</tr>{rows}</table><p>Ware vollständig und in einwandfreiem Zustand erhalten:</p><p>Ort, Datum, Unterschrift ____________________</p>"""
    else:
        body = f"""<h1>{s.pick("PACKING SLIP", "Delivery Note")}</h1><p><b>{firm}</b><br>{s.street()}<br>{s.town()}</p><table><tr><td><b>Ship To</b><br>{client}<br>{s.street()}<br>{s.town()}<td>Delivery note no. {number}<br>Date: {s.short_date()}<br>Order no. {s.number("SO", 5)}</table><table><tr><th>Item<th>Description<th class=r>Quantity shipped</tr>{rows}</table><p>Please check that the goods received match this note. Signature: ____________</p>"""
    return body, {
        "document_type": "delivery_note",
        "sender": firm,
        "recipient": client,
        "document_date": s.day,
        "reference_number": number,
        "total": None,
    }


def side_by_side(s: Scene) -> Made:
    """Seller and buyer as two columns under labels, facts in a row of boxes."""
    seller, buyer, number, items = s.firm(), s.firm(), s.number("", 7), s.items(3)
    while buyer == seller:
        buyer = s.firm()
    net, tax, gross = s.sums(items)
    de, due = s.language == "de", s.later(21)
    body = f"""<h2>{"Rechnung" if de else "Tax Invoice"}</h2><table><tr><th>{"Verkäufer" if de else "Seller"}<th>{"Kunde" if de else "Buyer"}<tr><td>{seller}<br>{s.street()}<br>{s.town()}<td>{buyer}<br>{s.street()}<br>{s.town()}</table>
    <table style="margin-top:5mm"><tr><th>{"Rechnungsnr." if de else "Invoice no."}<th>{"Rechnungsdatum" if de else "Invoice date"}<th>{"Zahlbar bis" if de else "Payment due"}<tr><td>{number}<td>{s.any_date()}<td>{s.any_date(due)}</table>
    <table style="margin-top:5mm">{_rows(s, items)}</table><p class=r>{"Netto" if de else "Net"}: {s.money(net)}<br>{"MwSt. 19%" if de else "VAT 20%"}: {s.money(tax)}<br><b>{"Rechnungsbetrag" if de else "Total"}: {s.money(gross)}</b></p>"""
    return body, {
        "document_type": "invoice",
        "sender": seller,
        "recipient": buyer,
        "document_date": s.day,
        "due_date": due,
        "reference_number": number,
        "total": gross,
    }


def award(s: Scene) -> Made:
    person = s.person()
    de = s.language == "de"
    body = f"""<div style="text-align:center"><h2>{"Volkshochschule Auental" if de else "Lakeside College"}</h2><h1 style="margin-top:30mm">{"Zertifikat" if de else "Certificate of Achievement"}</h1><p>{"verliehen an" if de else "is hereby awarded to"}</p><h2>{person}</h2><p>{"für die bestandene Prüfung im Fach Buchführung" if de else "for passing the examination in bookkeeping"}</p><p>{s.town().split(" ", 1)[1] + ", " if de else ""}{s.long_date()}</p></div>"""
    return body, {"document_type": "certificate", "recipient": person, "document_date": s.day, "total": None}


def policy_letter(s: Scene) -> Made:
    person, insurer, number, premium = (
        s.person(),
        "Bergland Lebensversicherung AG" if s.language == "de" else "Kestrel Insurance Ltd",
        s.number("KL", 7),
        s.price(50, 300),
    )
    de = s.language == "de"
    body = f"""<h2>{insurer}</h2><table style="margin-top:8mm"><tr><td>{person}<br>{s.street()}<br>{s.town()}<td>{"Versicherungsnummer" if de else "Policy number"}: {number}<br>{"Datum" if de else "Date"}: {s.short_date(s.day.replace(day=25))}</table><h2>{"Beitragsrechnung" if de else "Insurance Renewal Notice"}</h2><p>{"Guten Tag" if de else "Dear"} {person},</p><p>{"vielen Dank für Ihr Vertrauen. Ihr Versicherungsschutz verlängert sich um ein Jahr." if de else "thank you for insuring with us. Your policy will renew for another year of cover."}</p><table><tr><td>{"Jahresbeitrag" if de else "Total premium"}<td class=r>{s.money(premium)}</table>"""
    return body, {
        "document_type": "insurance",
        "sender": insurer,
        "recipient": person,
        "document_date": s.day.replace(day=25),
        "reference_number": number,
        "total": premium,
    }


def insurance(s: Scene) -> Made:
    person, number, premium = s.person(), s.number("HV-", 8), s.price(60, 700)
    if s.language == "de":
        insurer = "Nordstern Versicherung AG"
        body = f"""<h2>{insurer}</h2><p class=small>{insurer}, 20095 Hamburg</p><p>{person}<br>{s.street()}<br>{s.town()}</p><p class=r>Hamburg, {s.short_date()}</p><h2>Versicherungsschein zur Hausratversicherung</h2><p>Versicherungsnummer {number}</p><table><tr><td>Versicherungsnehmer<td>{person}<tr><td>Versicherungsbeginn<td>{s.short_date(s.later(30))}<tr><td>Versicherungssumme<td>65.000 EUR<tr><td>Jahresbeitrag inkl. Versicherungsteuer<td>{s.money(premium)}</table><p>Der Versicherungsschutz richtet sich nach den beigefügten Bedingungen.</p>"""
    else:
        insurer = s.pick("Harbourside Mutual Insurance", "Old Oak Insurance Company")
        body = f"""<h1>{insurer}</h1><h2>{"Policy Schedule" if s.country == "uk" else "Homeowners Policy Declarations"}</h2><table><tr><td>Policy number<td>{number}<tr><td>Policyholder<td>{person}<tr><td>Address<td>{s.street()}, {s.town()}<tr><td>Date issued<td>{s.long_date()}<tr><td>Period of insurance<td>{s.long_date(s.later(20))} to {s.long_date(s.later(384))}<tr><td>Total premium<td>{s.money(premium)}</table><p>This schedule forms part of your policy. The deductible for each claim is {s.money(Decimal(250))}.</p>"""
    return body, {
        "document_type": "insurance",
        "sender": insurer,
        "recipient": person,
        "document_date": s.day,
        "reference_number": number,
        "total": premium,
    }


TEMPLATES: dict[str, tuple[Template, str]] = {
    "din_invoice": (din_invoice, "de"), "us_invoice": (us_invoice, "us uk"), "de_letter": (de_letter, "de"), "en_letter": (en_letter, "uk us"), "reminder": (reminder, "de uk"),
    "till_slip": (till_slip, "de uk"), "contract": (contract, "de us"), "quote": (quote, "de uk"), "bank_statement": (bank_statement, "de us"), "minutes": (minutes, "de uk"),
    "report": (report, "de uk"), "email": (email, "de us"),
    "craftsman_invoice": (craftsman_invoice, "de"), "energy_bill": (energy_bill, "de us"), "payslip": (payslip, "de uk us"), "tax_notice": (tax_notice, "de uk us"), "card_receipt": (card_receipt, "de us"), "shipment": (shipment, "de uk"),
    "side_by_side": (side_by_side, "de uk us"), "award": (award, "de us"), "policy_letter": (policy_letter, "de uk"),
    "insurance": (insurance, "de uk us"),
}  # fmt: skip
