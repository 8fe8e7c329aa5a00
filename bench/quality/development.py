"""Templates that the rules may be improved on. Each makes HTML and the labels that a careful reader would give."""

from collections.abc import Callable
from typing import Any

from bench.quality.scene import Scene

Made = tuple[str, dict[str, Any]]
Template = Callable[[Scene], Made]


def _rows(s: Scene, items: list[Any]) -> str:
    return "".join(f"<tr><td>{i}<td>{n}<td class=r>{c}<td class=r>{s.money(p, True)}<td class=r>{s.money(c * p, True)}" for i, (n, c, p) in enumerate(items, 1))


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
    return body, {"document_type": "invoice", "sender": firm, "recipient": person, "document_date": s.day, "due_date": due, "reference_number": number, "total": gross, "title": ["Rechnung", number]}


def us_invoice(s: Scene) -> Made:
    firm, client, number, items = s.firm(), s.person(), s.number("INV-", 5), s.items()
    net, tax, gross = s.sums(items)
    due = s.later(30)
    body = f"""<table><tr><td><h1>{firm}</h1>{s.street()}<br>{s.town()}<td class=r><h1>INVOICE</h1>Invoice # {number}<br>Date: {s.any_date()}<br>Due Date: {s.any_date(due)}</table>
    <p><b>Bill To:</b><br>{client}<br>{s.street()}<br>{s.town()}</p>
    <table><tr><th>#<th>Description<th class=r>Qty<th class=r>Rate<th class=r>Amount</tr>{_rows(s, items)}</table>
    <table style="width:50%;margin-left:50%"><tr><td>Subtotal<td class=r>{s.money(net)}<tr><td>Tax<td class=r>{s.money(tax)}<tr><td><b>{s.pick("Total", "Total Due", "Balance Due", "Amount Due")}</b><td class=r><b>{s.money(gross)}</b></table>
    <p>Thank you for your business! Please make checks payable to {firm}.</p>"""
    return body, {"document_type": "invoice", "sender": firm, "recipient": client, "document_date": s.day, "due_date": due, "reference_number": number, "total": gross, "title": ["Invoice", number]}


def de_letter(s: Scene) -> Made:
    person, firm, contract = s.person(), s.firm(), s.number("V", 7)
    body = f"""{person}<br>{s.street()}<br>{s.town()}<p style="margin-top:15mm">{firm}<br>{s.street()}<br>{s.town()}</p><p class=r>{s.town().split(" ", 1)[1]}, {s.pick("den ", "")}{s.any_date()}</p>
    <p><b>{s.pick("Betreff: ", "")}Kündigung meines Vertrags Nr. {contract}</b></p><p>Sehr geehrte Damen und Herren,</p><p>hiermit kündige ich den oben genannten Vertrag fristgerecht zum {s.short_date(s.later(90))}. Bitte bestätigen Sie mir den Eingang dieses Schreibens.</p>
    <p>Mit freundlichen Grüßen</p><p>{person}</p>"""
    return body, {"document_type": "letter", "sender": person, "recipient": firm, "document_date": s.day, "reference_number": contract, "title": ["Kündigung"]}


def en_letter(s: Scene) -> Made:
    person, firm = s.person(), s.firm()
    body = f"""<div class=right><b>{firm}</b><br>{s.street()}<br>{s.town()}</div><p style="margin-top:10mm">{s.any_date()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p>
    <p>Dear {s.pick("Mr", "Ms")} {person.split()[-1]},</p><p><b>{s.pick("Re: ", "")}Changes to your service plan</b></p><p>We are writing to let you know that the terms of your plan will change next spring. You do not need to do anything at this time.</p>
    <p>Yours sincerely,</p><p>{s.person()}<br>Customer Relations</p>"""
    return body, {"document_type": "letter", "sender": firm, "recipient": person, "document_date": s.day, "title": ["Changes to your service plan"]}


def reminder(s: Scene) -> Made:
    firm, person, invoice, amount, due = s.firm(), s.person(), s.number("", 6), s.price(20, 2000), s.later(10)
    if s.language == "de":
        body = f"""<h2>{firm}</h2><p class=small>{firm}, {s.street()}, {s.town()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p><p class=r>Datum: {s.short_date()}</p><h2>{s.pick("Zahlungserinnerung", "1. Mahnung", "Mahnung")}</h2>
        <p>Sehr geehrte Damen und Herren,</p><p>zu unserer Rechnung Nr. {invoice} vom {s.short_date(s.later(-40))} konnten wir noch keinen Zahlungseingang feststellen.</p><table><tr><td>Offener Betrag<td class=r>{s.money(amount)}</table><p>Bitte überweisen Sie den Betrag bis zum {s.short_date(due)}.</p><p>Mit freundlichen Grüßen<br>{firm}</p>"""
    else:
        body = f"""<h2>{firm}</h2><p>{s.street()}, {s.town()}</p><p>Date: {s.long_date()}</p><p>{person}<br>{s.street()}<br>{s.town()}</p><h2>{s.pick("Payment Reminder", "Overdue Notice", "FINAL NOTICE")}</h2><p>Invoice number: {invoice}</p>
        <p>Our records show that the invoice dated {s.long_date(s.later(-40))} is overdue.</p><p>Amount outstanding: {s.money(amount)}</p><p>Please pay by {s.long_date(due)}.</p><p>Kind regards<br>{firm}</p>"""
    return body, {"document_type": "reminder", "sender": firm, "recipient": person, "document_date": s.day, "due_date": due, "reference_number": invoice, "total": amount}


def till_slip(s: Scene) -> Made:
    shop, items = s.firm(), s.items()
    gross = sum(c * p for _, c, p in items)
    de = s.language == "de"
    lines = "".join(f"<tr><td>{n}<td class=r>{s.money(c * p, True)}" for n, c, p in items)
    body = f"""<div style="text-align:center"><b>{shop}</b><br>{s.street()}<br>{s.town()}</div><table>{lines}<tr><td><b>{"SUMME EUR" if de else "TOTAL"}</b><td class=r><b>{s.money(gross, True)}</b>
    <tr><td>{"Bar" if de else "CASH"}<td class=r>{s.money(gross + 5, True)}<tr><td>{"Rückgeld" if de else "CHANGE"}<td class=r>{s.money(5, True)}</table><p>{s.short_date()} 14:37 {"Kasse" if de else "Till"} 2 {"Bon-Nr" if de else "Receipt No"}: {s.number("", 5)}</p><p>{"Vielen Dank für Ihren Einkauf!" if de else "Thank you, please come again"}</p>"""
    return body, {"document_type": "receipt", "sender": shop, "document_date": s.day, "total": gross, "_size": "80mm 190mm"}


def contract(s: Scene) -> Made:
    a, b = s.firm(), s.person()
    if s.language == "de":
        body = f"""<h1>Mietvertrag</h1><p>zwischen</p><p>{a}, {s.street()}, {s.town()}<br>- nachfolgend Vermieter genannt -</p><p>und</p><p>{b}, {s.street()}, {s.town()}<br>- nachfolgend Mieter genannt -</p><h2>§ 1 Mietsache</h2><p>Vermietet wird die Wohnung im zweiten Obergeschoss.</p><h2>§ 2 Miete</h2><p>Die Miete beträgt monatlich {s.money(s.price(400, 900))}.</p><h2>§ 3 Kündigungsfrist</h2><p>Die gesetzliche Frist gilt.</p><p>{s.town().split(" ", 1)[1]}, den {s.short_date()}</p><p>______________ Vermieter &nbsp; ______________ Mieter</p>"""
    else:
        body = f"""<h1>Service Agreement</h1><p>This Agreement is entered into as of {s.long_date()} by and between {a} ("Provider") and {b} ("Client").</p><h2>1. Services</h2><p>The Provider shall perform the services described in Schedule A. The parties agree to the terms herein.</p><h2>2. Termination</h2><p>Either party may terminate this Agreement upon thirty days notice.</p><h2>3. Governing Law</h2><p>This Agreement shall be governed by the laws of the state.</p><p>IN WITNESS WHEREOF, the parties have executed this Agreement.</p>"""
    return body, {"document_type": "contract", "document_date": s.day, "title": ["Mietvertrag" if s.language == "de" else "Service Agreement"]}


def quote(s: Scene) -> Made:
    firm, person, number, items = s.firm(), s.person(), s.number("AN" if s.language == "de" else "Q-"), s.items()
    net, tax, gross = s.sums(items)
    de = s.language == "de"
    body = f"""<table><tr><td><b>{firm}</b><br>{s.street()}<br>{s.town()}<td class=r>{"Angebotsnummer" if de else "Quote number"}: {number}<br>{"Datum" if de else "Date"}: {s.any_date()}<br>{"Gültig bis" if de else "Valid until"}: {s.any_date(s.later(30))}</table>
    <p>{"An" if de else "To"}:<br>{person}<br>{s.street()}<br>{s.town()}</p><h1>{"Angebot" if de else "Quotation"}</h1><table>{_rows(s, items)}<tr><td><td colspan=3>{"Summe netto" if de else "Net total"}<td class=r>{s.money(net)}<tr><td><td colspan=3>{"MwSt. 19 %" if de else "VAT"}<td class=r>{s.money(tax)}<tr><td><td colspan=3>{"Gesamtbetrag" if de else "Grand total"}<td class=r>{s.money(gross)}</table>
    <p>{"Wir freuen uns auf Ihren Auftrag." if de else "We look forward to your order."}</p>"""
    return body, {"document_type": "quote", "sender": firm, "recipient": person, "document_date": s.day, "reference_number": number, "total": gross}


def bank_statement(s: Scene) -> Made:
    person, bank = s.person(), "Sparkasse Westland" if s.language == "de" else "Larkfield Savings Bank"
    de = s.language == "de"
    rows = "".join(f"<tr><td>{s.short_date(s.later(-d))}<td>{s.firm()}<td class=r>{s.money(s.price(), True)}-" for d in (20, 14, 3))
    body = f"""<h2>{bank}</h2><p>{person}<br>{s.street()}<br>{s.town()}</p><h1>{"Kontoauszug" if de else "Account Statement"}</h1><p>{"Auszugsdatum" if de else "Statement date"}: {s.short_date()}</p><p>{"Kontonummer" if de else "Account number"}: {s.number("", 8)}</p>
    <table><tr><td>{"Alter Kontostand" if de else "Opening balance"}<td><td class=r>{s.money(s.price())}</tr>{rows}<tr><td>{"Neuer Kontostand" if de else "Closing balance"}<td><td class=r>{s.money(s.price())}</table>"""
    return body, {"document_type": "bank_statement", "sender": bank, "recipient": person, "document_date": s.day, "total": None}


def minutes(s: Scene) -> Made:
    de = s.language == "de"
    names = ", ".join(s.person() for _ in range(4))
    body = f"""<h1>{"Protokoll der Mitgliederversammlung" if de else "Minutes of the Annual Meeting"}</h1><p>{"Datum" if de else "Date"}: {s.long_date()}</p><p>{"Teilnehmer" if de else "Present"}: {names}</p><h2>{"TOP 1 Begrüßung" if de else "1. Call to order"}</h2><p>{"Die Sitzung wurde um 19 Uhr eröffnet. Der Bericht wurde einstimmig beschlossen." if de else "The meeting was called to order at seven. The motion was seconded and carried."}</p><h2>{"TOP 2 Verschiedenes" if de else "2. Next meeting"}</h2><p>{"Die nächste Sitzung findet im Mai statt." if de else "The meeting was adjourned at nine."}</p>"""
    return body, {"document_type": "minutes", "document_date": s.day, "title": ["Protokoll der Mitgliederversammlung" if de else "Minutes of the Annual Meeting"], "sender": None, "recipient": None, "total": None}


def report(s: Scene) -> Made:
    de = s.language == "de"
    body = f"""<h1>{"Projektbericht Hochwasserschutz" if de else "Flood Protection Progress Report"}</h1><p>{s.long_date()}</p><h2>{"Zusammenfassung" if de else "Executive Summary"}</h2><p>{"In diesem Bericht werden die Ergebnisse der Messungen vorgestellt. Die Arbeiten liegen im Plan." if de else "This report presents the results of the measurements. The work is on schedule."}</p><h2>{"Ergebnisse" if de else "Findings"}</h2><p>{"Die Pegel sind gesunken, und die Deiche wurden an allen Stellen geprüft." if de else "The levels have fallen, and the dykes were checked at all points."}</p><h2>{"Fazit" if de else "Conclusion"}</h2><p>{"Weitere Maßnahmen sind nicht erforderlich." if de else "No further measures are needed at this time."}</p>"""
    return body, {"document_type": "report", "document_date": s.day, "title": ["Hochwasserschutz" if de else "Flood Protection"], "sender": None, "recipient": None, "total": None}


def email(s: Scene) -> Made:
    a, b = s.person(), s.person()
    de = s.language == "de"
    subject = s.pick("Unterlagen für Dienstag", "Rückfrage zum Ablauf") if de else s.pick("Papers for Tuesday", "Question about the schedule")
    body = f"""<table><tr><td>{"Von" if de else "From"}:<td>{a} &lt;a.b@mail.org&gt;<tr><td>{"An" if de else "To"}:<td>{b} &lt;c.d@mail.org&gt;<tr><td>{"Datum" if de else "Date"}:<td>{s.long_date()} 09:14<tr><td>{"Betreff" if de else "Subject"}:<td>{subject}</table><hr><p>{"Hallo" if de else "Hello"} {b.split()[0]},</p><p>{"anbei sende ich dir die Unterlagen, die wir am Dienstag besprechen wollen." if de else "please find attached the papers that we want to discuss on Tuesday."}</p><p>{"Viele Grüße" if de else "Best regards"}<br>{a}</p>"""
    return body, {"document_type": "letter", "sender": a, "recipient": b, "document_date": s.day, "title": [subject], "total": None}


TEMPLATES: dict[str, tuple[Template, str]] = {
    "din_invoice": (din_invoice, "de"), "us_invoice": (us_invoice, "us uk"), "de_letter": (de_letter, "de"), "en_letter": (en_letter, "uk us"), "reminder": (reminder, "de uk"),
    "till_slip": (till_slip, "de uk"), "contract": (contract, "de us"), "quote": (quote, "de uk"), "bank_statement": (bank_statement, "de us"), "minutes": (minutes, "de uk"),
    "report": (report, "de uk"), "email": (email, "de us"),
}  # fmt: skip
