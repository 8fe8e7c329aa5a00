"""What kind of document it is: weighted words, most of all those that stand as its heading.

Each type has *heads* (what such a document calls itself) and *signs* (what it says inside). No evidence, no type.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from functions.enrich.layout import Layout, Page, Run
from functions.enrich.wording import labels
from shared.metadata import DocumentType

T = DocumentType

_HEADS: dict[T, tuple[str, ...]] = {
    T.INVOICE: (
        *("rechnung", r"[^\W\d_]{3,20}(?<!ab)rechnung", "tax invoice", "invoice", "honorarrechnung", "honorarnote", "schlussrechnung", "abschlagsrechnung", "teilrechnung", "faktura", "liquidation", "kostenrechnung"),
        *("handwerkerrechnung", "proforma ?rechnung", "pro ?forma invoice", "commercial invoice", "sales invoice", "bill", "facture", "factura", "fattura", "factuur", "rechnungsnummer", "nota de honorarios"),
    ),
    T.RECEIPT: (
        *("quittung", "kassenbon", "kassenbeleg", "kassenzettel", "zahlungsbeleg", "spendenquittung", "bewirtungsbeleg", "barbeleg", "kundenbeleg", "receipt", "sales receipt"),
        *("payment receipt", "official receipt", "cash receipt", "cash sale", "till receipt", "ticket de caisse", "reçu", "recibo", "ricevuta", "scontrino", "kassabon", "kwitantie", "donation receipt", "cash bill", "zahlungsbestätigung", "payment confirmation"),
    ),
    T.CREDIT_NOTE: ("gutschrift", "gutschriftsanzeige", "rechnungskorrektur", "stornorechnung", "rechnungsgutschrift", "korrekturrechnung", "credit note", "credit memo", "credit memorandum", "credit invoice", "avoir", "facture d['’]avoir", "nota de crédito", "nota di credito", "creditnota", "creditfactuur"),
    T.REMINDER: (
        *("mahnung", "zahlungserinnerung", r"\d\. ?mahnung", "erste mahnung", "zweite mahnung", "letzte mahnung", "letzte zahlungsaufforderung", "zahlungsaufforderung", "mahnschreiben", "erinnerung"),
        *("payment reminder", "reminder", "overdue notice", "past due notice", "final notice", "final demand", "dunning letter", "demand for payment", "friendly reminder", "overdue payment", "overdue account", "overdue invoice", "account overdue"),
        *("rappel", "relance", "mise en demeure", "recordatorio de pago", "sollecito di pagamento", "sollecito", "betalingsherinnering", "aanmaning", "collection notice"),
    ),
    T.BANK_STATEMENT: ("kontoauszug", "kontoauszüge", "girokonto kontoauszug", "rechnungsabschluss", "depotauszug", "kreditkartenabrechnung", "umsatzübersicht", "bank statement", "account statement", "statement of account", "checking account statement", "current account statement", "savings statement", "credit card statement", "statement", "relevé de compte", "relevé bancaire", "extracto bancario", "extracto de cuenta", "estratto conto", "rekeningafschrift", "bankafschrift", "finanzstatus"),
    T.PAYSLIP: ("gehaltsabrechnung", "lohnabrechnung", "entgeltabrechnung", "verdienstabrechnung", "lohn- ?und gehaltsabrechnung", "gehaltszettel", "lohnzettel", r"abrechnung der brutto\W{0,3}netto\W{0,2}bezüge", "bezügemitteilung", "entgeltnachweis", "verdienstbescheinigung", "payslip", "pay slip", "pay ?stub", "pay advice", "salary slip", "earnings statement", "salary statement", "wage slip", "payroll statement", "statement of earnings", "bulletin de (?:paie|salaire)", "nómina", "recibo de nómina", "busta paga", "cedolino", "loonstrook", "salarisspecificatie", "loonspecificatie"),
    T.TAX: ("steuerbescheid", "einkommensteuerbescheid", r"bescheid für \d{4} über einkommensteuer", r"bescheid (?:für \d{4} )?über (?:die )?(?:\w+steuer|grundsteuer|gewerbesteuer)", "\\w+steuerbescheid", "lohnsteuerbescheinigung", "ausdruck der elektronischen lohnsteuerbescheinigung", "einkommensteuererklärung", "umsatzsteuererklärung", "umsatzsteuer-?voranmeldung", "steuererklärung", "vorauszahlungsbescheid", "jahressteuerbescheinigung", "steuerbescheinigung", "tax assessment", "notice of assessment", "tax return", "income tax return", "tax notice", "tax statement", "wage and tax statement", "council tax bill", "property tax bill", "self assessment", "tax calculation", "avis d['’]imposition", "avis d['’]impôt", "déclaration de revenus", "declaración de la renta", "cartella esattoriale", "aanslag", "belastingaanslag", "form w-2", "form 1040", "form 1099", "p60", "p45"),
    T.CONTRACT: (
        *("vertrag", "mietvertrag", "wohnraummietvertrag", "arbeitsvertrag", "kaufvertrag", "dienstvertrag", "werkvertrag", "darlehensvertrag", "kreditvertrag", "dienstleistungsvertrag", "rahmenvertrag", "\\w+vertrag", "vereinbarung", "aufhebungsvertrag", "geheimhaltungsvereinbarung", "auftragsverarbeitungsvertrag"),
        *("contract", "agreement", "lease agreement", "rental agreement", "residential lease", "tenancy agreement", "employment contract", "employment agreement", "service agreement", "services agreement", "consulting agreement", "non-?disclosure agreement", "purchase agreement", "loan agreement", "licen[cs]e agreement", "\\w+ agreement", "memorandum of understanding", "terms and conditions", "terms of service", "contrat", "contrat de travail", "contrat de location", "bail", "contrato", "contratto", "overeenkomst", "huurovereenkomst", "arbeidsovereenkomst"),
    ),
    T.INSURANCE: ("versicherungsschein", "versicherungspolice", "versicherungsbestätigung", "beitragsrechnung", "beitragsanpassung", "versicherungsnachweis", "nachtrag zum versicherungsschein", "\\w+versicherung", "schadenanzeige", "schadensmeldung", "elektronische versicherungsbestätigung", "polizze", "insurance policy", "certificate of insurance", "insurance certificate", "policy schedule", "policy declarations", "declarations page", "insurance renewal", "renewal notice", "statement of insurance", "insurance claim", "policy document", "evidence of insurance", "attestation d['’]assurance", "contrat d['’]assurance", "póliza de seguro", "polizza", "polizza assicurativa", "verzekeringspolis", "polisblad"),
    T.QUOTE: ("angebot", "kostenvoranschlag", "offerte", "preisangebot", "kostenschätzung", "quotation", "quote", "price quote", "estimate", "cost estimate", "sales quote", "offer", "proposal", "devis", "presupuesto", "cotización", "preventivo", "prijsopgave"),
    T.ORDER: ("bestellung", "auftragsbestätigung", "bestellbestätigung", "auftrag", "einkaufsbestellung", "buchungsbestätigung", "purchase order", "sales order", "order confirmation", "order acknowledg(?:e)?ment", "work order", "order", "order summary", "booking confirmation", "bon de commande", "confirmation de commande", "commande", "pedido", "orden de compra", "ordine", "ordine d['’]acquisto", "conferma d['’]ordine", "bestelbon", "orderbevestiging", "inkooporder"),
    T.DELIVERY_NOTE: ("lieferschein", "warenbegleitschein", "packzettel", "lieferbeleg", "versandschein", "delivery note", "delivery docket", "packing slip", "packing list", "dispatch note", "delivery slip", "goods delivery note", "proof of delivery", "despatch note", "advice note", "bon de livraison", "bordereau de livraison", "albarán", "nota de entrega", "documento di trasporto", "bolla di consegna", "pakbon", "leverbon", "afleverbon"),
    T.MINUTES: ("protokoll", "sitzungsprotokoll", "besprechungsprotokoll", "ergebnisprotokoll", "niederschrift", "versammlungsprotokoll", "protokoll der", "gesprächsprotokoll", "minutes", "meeting minutes", "minutes of (?:the )?", "board minutes", "meeting notes", "record of meeting", "compte[- ]rendu", "procès-verbal", "acta de la reunión", "acta", "verbale", "verbale di riunione", "notulen", "vergaderverslag"),
    T.REPORT: ("bericht", "jahresbericht", "geschäftsbericht", "prüfbericht", "abschlussbericht", "quartalsbericht", "projektbericht", "gutachten", "zwischenbericht", "sachstandsbericht", "monatsbericht", "inspektionsbericht", "report", "annual report", "quarterly report", "progress report", "project report", "final report", "inspection report", "status report", "audit report", "technical report", "research report", "test report", "incident report", "white ?paper", "rapport", "rapport annuel", "informe", "informe anual", "relazione", "relazione annuale", "jaarverslag", "verslag"),
    T.CERTIFICATE: ("zertifikat", "urkunde", "zeugnis", "arbeitszeugnis", "zwischenzeugnis", "bescheinigung", "geburtsurkunde", "heiratsurkunde", "teilnahmebescheinigung", "teilnahmebestätigung", "abschlusszeugnis", "immatrikulationsbescheinigung", "meldebescheinigung", "meldebestätigung", "führungszeugnis", "bestätigung", "ernennungsurkunde", "certificate", "certificate of (?:completion|attendance|achievement|participation|birth|marriage|incorporation|appreciation|conformity|origin|registration)", "birth certificate", "marriage certificate", "diploma", "transcript of records", "certification", "attestation", "certificat", "diplôme", "certificado", "diploma", "certificato", "attestato", "certificaat", "getuigschrift"),
    T.MEDICAL: ("arztbrief", "befund", "befundbericht", "laborbefund", "entlassungsbrief", "entlassbericht", "entlassungsbericht", "arbeitsunfähigkeitsbescheinigung", "überweisung(?:sschein)?", "rezept", "medikationsplan", "heil- und kostenplan", "impfausweis", "röntgenbefund", "ärztliches attest", "attest", "operationsbericht", "medical report", "medical certificate", "discharge summary", "discharge letter", "lab(?:oratory)? (?:results?|report)", "prescription", "radiology report", "pathology report", "patient summary", "referral letter", "medical record", "immunization record", "vaccination record", "test results", "clinic letter", "sick note", "fit note", "ordonnance", "compte rendu médical", "informe médico", "receta médica", "referto", "referto medico", "medisch rapport", "recept"),
    T.UTILITY_BILL: ("stromrechnung", "gasrechnung", "wasserrechnung", "jahresabrechnung", "verbrauchsabrechnung", "turnusabrechnung", "energieabrechnung", "jahresverbrauchsabrechnung", "strom- ?und gasrechnung", "telefonrechnung", "mobilfunkrechnung", "internetrechnung", "betriebskostenabrechnung", "nebenkostenabrechnung", "heizkostenabrechnung", "abschlagsplan", "gebührenbescheid", "abfallgebühren(?:bescheid)?", "electricity bill", "gas bill", "water bill", "energy bill", "utility bill", "electric bill", "energy statement", "phone bill", "mobile bill", "internet bill", "water and sewer bill", "utility statement", "facture d['’]électricité", "facture de gaz", "facture d['’]eau", "factura de (?:la )?luz", "factura de electricidad", "factura de gas", "bolletta", "bolletta (?:della )?luce", "energierekening", "jaarafrekening", "energienota"),
    T.WARRANTY: ("garantie", "garantiekarte", "garantieschein", "garantiezertifikat", "garantieurkunde", "garantiebedingungen", "herstellergarantie", "gewährleistung", "warranty", "warranty card", "limited warranty", "warranty certificate", "warranty registration", "manufacturer['’]?s warranty", "product warranty", "certificate of warranty", "bon de garantie", "certificat de garantie", "garantía", "certificado de garantía", "garanzia", "certificato di garanzia", "garantiebewijs"),
    T.CV: ("lebenslauf", "tabellarischer lebenslauf", "curriculum vitae", "cv", "resume", "résumé", "werdegang", "currículum(?: vitae)?", "hoja de vida"),
    T.FORM: ("formular", "antrag", "antragsformular", "anmeldeformular", "anmeldung", "antrag auf", "\\w+antrag", "aufnahmeantrag", "beitrittserklärung", "fragebogen", "vollmacht", "einverständniserklärung", "sepa-lastschriftmandat", "widerrufsformular", "application form", "registration form", "form", "application for", "order form", "consent form", "enrol?lment form", "claim form", "request form", "questionnaire", "membership application", "membership form", "power of attorney", "permission slip", "formulaire", "demande de", "formulario", "solicitud", "modulo", "modulo di", "domanda di", "formulier", "aanvraagformulier", "aanmeldformulier"),
    T.NEWSLETTER: ("newsletter", "rundbrief", "infobrief", "mitteilungsblatt", "kundenbrief", "vereinsnachrichten", "infopost", "gemeindebrief", "elternbrief", "monthly update", "weekly digest", "bulletin", "lettre d['’]information", "infolettre", "boletín", "boletín informativo", "notiziario", "nieuwsbrief"),
    T.MANUAL: ("bedienungsanleitung", "gebrauchsanweisung", "gebrauchsanleitung", "benutzerhandbuch", "handbuch", "montageanleitung", "betriebsanleitung", "installationsanleitung", "aufbauanleitung", "anleitung", "kurzanleitung", "user manual", "user guide", "user['’]s guide", "owner['’]?s manual", "instruction manual", "instructions for use", "operating instructions", "installation guide", "installation manual", "assembly instructions", "quick ?start guide", "handbook", "manual", "reference guide", "service manual", "getting started", "mode d['’]emploi", "manuel d['’]utilisation", "notice d['’]utilisation", "guide de l['’]utilisateur", "manual de usuario", "manual de instrucciones", "manuale d['’]uso", "manuale utente", "istruzioni per l['’]uso", "handleiding", "gebruiksaanwijzing"),
}  # fmt: skip

_SIGNS: dict[T, tuple[str, ...]] = {
    T.INVOICE: (
        *("rechnungsnummer", "rechnungs-?nr", "rechnungsdatum", "rechnungsbetrag", "mwst", "umsatzsteuer", "zahlbar", "leistungszeitraum", "lieferdatum", "einzelpreis", "zwischensumme", "zahlungsziel", "ust", "nettobetrag", "zahlbetrag"),
        *("invoice (?:no|number|nr|#|date|total)", "bill to", "amount due", "subtotal", "unit price", "due date", "vat", "payment terms", "balance due", "total due", "remit", "sales tax", "qty", "sort code"),
        *("stellen wir ihnen", "erlauben wir uns", "in rechnung", "überweisen sie", "numéro de facture", "date de facture", "tva", "total ttc", "net à payer", "iva", "base imponible", "numero fattura", "imponibile", "factuurnummer", "factuurdatum", "btw"),
    ),
    T.RECEIPT: ("bar", "gegeben", "rückgeld", "kasse", "kassierer(?:in)?", "bediener", "ec-?karte", "girocard", "kartenzahlung", "terminal-?id", "tse", "bon-?nr", "beleg-?nr", "vielen dank für ihren einkauf", "es bediente sie", "cash", "change(?: due)?", "cashier", "till", "register", "visa", "mastercard", "debit", "card payment", "thank you for (?:shopping|your purchase|your visit)", "thank you", "please come again", "received with thanks", "payment method", "paid", "betrag dankend erhalten", "received from", "tendered", "approval code", "auth code", "goods sold are not", "rounding", "espèces", "rendu monnaie", "carte bancaire", "efectivo", "contante", "pin"),
    T.CREDIT_NOTE: ("gutgeschrieben", "gutschriftsnummer", "gutschrift-?nr", "schreiben wir ihnen", "storno", "korrektur", "erstatten", "credit note (?:no|number|date)", "credited", "refund", "original invoice", "credit amount", "zur rechnung", "avoir n"),
    T.REMINDER: ("überfällig", "verzug", "mahngebühr(?:en)?", "verzugszinsen", "offene[rn]? betrag", "noch nicht beglichen", "zahlungseingang", "keinen zahlungseingang", "inkasso", "mahnstufe", "ausgleich", "overdue", "past due", "outstanding", "unpaid", "late fee", "late payment", "still outstanding", "not yet received", "collection agency", "legal action", "disregard this", "gegenstandslos", "übersehen", "impayée?", "interest on late"),
    T.BANK_STATEMENT: ("kontostand", "alter saldo", "neuer saldo", "anfangssaldo", "endsaldo", "valuta", "wertstellung", "buchungstag", "haben", "soll", "umsätze", "kontonummer", "auszug", "dispo(?:sitionskredit)?", "opening balance", "closing balance", "beginning balance", "ending balance", "withdrawals?", "deposits?", "account number", "statement period", "transactions?", "paid in", "paid out", "balance brought forward", "money (?:in|out)", "ancien solde", "nouveau solde", "débit", "crédit", "saldo anterior", "saldo final", "saldo iniziale", "saldo finale"),
    T.PAYSLIP: ("bruttolohn", "gesamtbrutto", "steuerbrutto", "nettoverdienst", "auszahlungsbetrag", "lohnsteuer", "solidaritätszuschlag", "krankenversicherung", "rentenversicherung", "pflegeversicherung", "arbeitslosenversicherung", "steuerklasse", "personalnummer", "personal-?nr", "eintrittsdatum", "bruttobezüge", "sozialversicherung", "gross pay", "net pay", "earnings", "deductions", "pay period", "pay date", "year to date", "ytd", "national insurance", "paye", "federal (?:income )?tax", "medicare", "social security", "employee (?:id|no|number|name)", "tax code", "employer", "salaire brut", "net à payer avant", "cotisations", "devengos", "deducciones", "salario base", "retribuzione", "brutoloon", "nettoloon", "loonheffing"),
    T.TAX: ("finanzamt", "steuernummer", "steuer-?id", "identifikationsnummer", "festsetzung", "festgesetzt", "einspruch", "rechtsbehelfsbelehrung", "zu versteuerndes einkommen", "einkünfte", "erstattung", "nachzahlung", "vorauszahlung(?:en)?", "solidaritätszuschlag", "veranlagung", "kassenzeichen", "einkommensteuer", "taxable income", "tax year", "internal revenue service", "irs", "hmrc", "hm revenue", "assessment", "filing status", "adjusted gross income", "tax (?:due|owed|refund|payable)", "employer identification", "taxpayer", "omb no", "impôt sur le revenu", "revenu imposable", "agenzia delle entrate", "agencia tributaria", "belastingdienst"),
    T.CONTRACT: ("vertragspartei(?:en)?", "vertragsgegenstand", "§ ?1", "§ ?2", "§ ?3", "kündigungsfrist", "nachfolgend", "gerichtsstand", "salvatorische klausel", "schriftform", "zwischen", "vermieter", "mieter", "arbeitnehmer", "arbeitgeber", "auftragnehmer", "vertragsdauer", "laufzeit", "schlussbestimmungen", "unterschrift", "hereinafter", "herein", "hereby agree", "the parties", "whereas", "in witness whereof", "governing law", "termination", "shall", "party", "confidentiality", "obligations", "effective date", "term of", "landlord", "tenant", "severability", "entire agreement", "les parties", "article 1", "las partes", "cláusula", "le parti", "partijen", "artikel 1"),
    T.INSURANCE: ("versicherungsnehmer(?:in)?", "versicherungsnummer", "versicherungsschein-?(?:nr|nummer)", "versicherungssumme", "versicherungsbeginn", "selbstbeteiligung", "selbstbehalt", "beitrag", "deckungssumme", "versicherungsschutz", "jahresbeitrag", "versicherte", "schadensfall", "schadenfall", "schadennummer", "haftpflicht", "hausrat", "versicherer", "policy (?:no|number)", "policyholder", "premium", "insured", "coverage", "deductible", "sum insured", "period of insurance", "policy period", "insurer", "underwriter", "liability", "claims?", "excess", "prime", "assuré", "asegurado", "prima", "contraente", "premie", "verzekerde", "verzekeringnemer"),
    T.QUOTE: ("angebotsnummer", "angebots-?nr", "angebotsdatum", "gültig bis", "unverbindlich", "freibleibend", "bieten wir ihnen", "unterbreiten", "anfrage", "bindefrist", "gültigkeit", "angebot ist gültig", "auftragserteilung", "quot(?:e|ation) (?:no|number|#|date)", "estimate (?:no|number|#|date)", "valid (?:until|for|through)", "your (?:enquiry|inquiry)", "prepared for", "acceptance", "we are pleased to (?:quote|offer|submit)", "expires?", "validité", "bon pour accord", "validez", "validità", "geldig tot"),
    T.ORDER: ("bestellnummer", "bestell-?nr", "bestelldatum", "auftragsnummer", "auftrags-?nr", "wir bestellen", "liefertermin", "hiermit bestätigen wir", "ihre bestellung", "lieferanschrift", "lieferadresse", "po (?:no|number|#)", "p\\.o\\.", "order (?:no|number|#|date)", "ship to", "ship via", "vendor", "deliver(?:y)? (?:to|address|date)", "requisitioner", "thank you for your order", "your order has been", "estimated delivery", "numéro de commande", "date de commande", "número de pedido", "numero ordine", "ordernummer"),
    T.DELIVERY_NOTE: ("lieferscheinnummer", "lieferschein-?nr", "ware (?:in ordnung )?erhalten", "empfangen", "liefermenge", "gelieferte menge", "lieferanschrift", "versandart", "packstücke", "frachtführer", "unterschrift empfänger", "ware vollständig", "delivery note (?:no|number)", "goods received", "received (?:by|in good)", "shipped", "qty (?:shipped|ordered|delivered)", "quantity (?:shipped|ordered|delivered)", "carrier", "ship date", "ship to", "packages?", "received in good (?:order|condition)", "tracking", "colis", "mercancía", "vettore", "aantal colli", "signature"),
    T.LETTER: (),
    T.MINUTES: ("teilnehmer(?:innen)?", "tagesordnung", "anwesend", "abwesend", "entschuldigt", "protokollführer(?:in)?", "schriftführer(?:in)?", "beschluss", "beschlossen", "top ?\\d", "sitzung", "sitzungsleitung", "versammlungsleiter", "abstimmung", "ja-?stimmen", "nächste sitzung", "verschiedenes", "attendees", "present", "apologies", "absent", "agenda", "action items?", "motion", "seconded", "adjourned", "called to order", "minutes taken", "next meeting", "resolved", "quorum", "chair(?:person|man)?", "secretary", "ordre du jour", "présents", "orden del día", "asistentes", "ordine del giorno", "presenti", "agendapunten", "aanwezig"),
    T.REPORT: ("zusammenfassung", "einleitung", "ergebnisse", "fazit", "inhaltsverzeichnis", "methodik", "empfehlungen", "ausblick", "executive summary", "introduction", "findings", "recommendations?", "conclusions?", "methodology", "table of contents", "appendix", "results", "abstract", "background", "references", "résumé", "conclusion", "resumen", "conclusiones", "sommario", "conclusioni", "samenvatting", "conclusie"),
    T.CERTIFICATE: ("hiermit wird bescheinigt", "hiermit bescheinigen wir", "wird hiermit bestätigt", "hat erfolgreich", "teilgenommen", "bestanden", "verliehen", "zertifiziert", "zur vorlage", "dient zur vorlage", "this is to certify", "certif(?:y|ies) that", "hereby certif", "has (?:successfully )?completed", "awarded to", "is awarded", "presented to", "in recognition", "certificate (?:no|number)", "standesamt", "registrar", "accredited", "certifie que", "atteste", "certifica que", "si certifica", "verklaart dat"),
    T.MEDICAL: ("diagnosen?", "patient(?:in)?", "anamnese", "therapie", "befund", "medikation", "klinik", "icd", "geb\\.", "beurteilung", "sehr geehrte (?:frau|herr) kolleg", "krankenkasse", "arbeitsunfähig", "chefarzt", "untersuchung", "labor", "referenzbereich", "dosierung", "diagnos(?:is|es)", "medications?", "physician", "medical history", "symptoms", "treatment", "reference range", "specimen", "dosage", "mg", "blood pressure", "date of birth", "dob", "admission", "discharge", "clinical", "allergies", "examination", "tablets?", "ordonnance", "médecin", "diagnóstico", "diagnosi", "terapia", "arts", "behandeling"),
    T.UTILITY_BILL: ("kwh", "zählerstand", "zählernummer", "zähler-?nr", "verbrauch", "abschlag(?:szahlung)?", "arbeitspreis", "grundpreis", "strom", "erdgas", "netzentgelt", "marktlokation", "vertragskonto", "energie", "wasser", "abwasser", "stromsteuer", "verbrauchsstelle", "ablesung", "heizkosten", "betriebskosten", "rufnummer", "mobilfunk", "electricity", "meter (?:reading|number|no)", "usage", "kilowatt", "standing charge", "unit rate", "tariff", "supply (?:address|number)", "service address", "billing period", "mpan", "gallons", "therms", "sewer", "data usage", "wastewater", "consommation", "compteur", "abonnement", "consumo", "contador", "potencia contratada", "fornitura", "contatore", "verbruik", "meterstand"),
    T.WARRANTY: ("garantiezeit(?:raum)?", "garantiefrist", "seriennummer", "kaufdatum", "material- und", "herstellungsfehler", "garantieanspruch", "kaufbeleg", "unentgeltlich", "garantiegeber", "modell", "händler", "warranty period", "warrants?", "defects?", "workmanship", "serial (?:no|number)", "proof of purchase", "date of purchase", "repair or replace", "purchaser", "model", "dealer", "free of charge", "durée de garantie", "periodo de garantía", "garantieperiode"),
    T.CV: ("berufserfahrung", "ausbildung", "kenntnisse", "sprachkenntnisse", "persönliche daten", "beruflicher werdegang", "hobbys", "staatsangehörigkeit", "familienstand", "schulbildung", "studium", "edv-?kenntnisse", "praktikum", "interessen", "abitur", "work experience", "professional experience", "employment history", "education", "skills", "languages", "references available", "bachelor", "master", "career (?:objective|summary)", "professional summary", "linkedin", "certifications", "hobbies", "interests", "expérience professionnelle", "formation", "compétences", "experiencia (?:laboral|profesional)", "formación", "esperienza professionale", "istruzione", "werkervaring", "opleiding"),
    T.FORM: ("bitte ankreuzen", "zutreffendes", "bitte ausfüllen", "bitte in druckbuchstaben", "vorname", "nachname", "geburtsdatum", "unterschrift", "ort, datum", "antragsteller(?:in)?", "ankreuzen", "ich erkläre", "ermächtige", "telefonnummer", "please (?:print|complete|fill)", "check (?:one|all that apply|the box)", "first name", "last name", "middle initial", "signature", "date of birth", "applicant", "for office use only", "official use only", "☐", "□", "☑", "print name", "marital status", "nom", "prénom", "nombre y apellidos", "cognome", "firma del", "handtekening", "voornaam"),
    T.NEWSLETTER: ("abmelden", "abbestellen", "im browser", "unsubscribe", "view (?:this email )?in (?:your )?browser", "liebe leser(?:innen)?", "dear readers?", "dear subscribers?", "ausgabe", "issue", "in dieser ausgabe", "in this issue", "editorial", "impressum", "redaktion", "upcoming events", "veranstaltungen", "termine", "subscribe", "abonnenten", "read more", "weiterlesen", "mehr erfahren", "follow us", "vol\\.", "neuigkeiten", "se désabonner", "darse de baja", "uitschrijven"),
    T.MANUAL: ("sicherheitshinweise", "inbetriebnahme", "technische daten", "fehlerbehebung", "lieferumfang", "entsorgung", "wartung", "reinigung", "warnung", "vorsicht", "achtung", "bestimmungsgemäß", "bedienung", "gerät", "schritt \\d", "safety instructions", "troubleshooting", "specifications", "warning", "caution", "installation", "maintenance", "getting started", "package contents", "before (?:you begin|use|using)", "step \\d", "press", "appliance", "consignes de sécurité", "dépannage", "instrucciones de seguridad", "avvertenze", "veiligheidsvoorschriften"),
}  # fmt: skip

_SALUTATION = re.compile(
    r"^(?:sehr geehrte|liebe[rs]?\s[A-ZÄÖÜ]|guten tag|hallo\s|dear\s|to whom it may concern|hi\s[A-Z]|hello\s|ladies and gentlemen|madame|monsieur|chère?\s|estimad[oa]s?|querid[oa]s?|muy señor|gentile|gentili|egregio|spett|geachte|beste\s[A-Z]|messieurs)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^(?:mit (?:freundlichen?|besten?|herzlichen?|vielen) grü|freundliche grüße|(?:beste|viele|herzliche|liebe) grüße|hochachtungsvoll|yours (?:sincerely|faithfully|truly)|sincerely|(?:kind|best|warm) regards|regards,?$|best wishes|respectfully|cordialement|atentamente|saludos|cordiali saluti|distinti saluti|met vriendelijke groet)|salutations distinguées",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"^(?:betreff|betrifft|betr\.?|subject|re|objet|asunto|oggetto|onderwerp)\s*:\s*", re.IGNORECASE)
_LETTER_HEADS = labels(("kündigung", "kündigungsbestätigung", "bewerbung", "widerspruch", "einladung", "mitteilung", "anschreiben", "resignation", "notice of termination", "cover letter", "application for the position", "complaint", "beschwerde", "cancellation", "anfrage", "bestätigung", "information"))  # fmt: skip

HEAD_WEIGHT = 5.0
THRESHOLD = 3.0


@dataclass(frozen=True)
class Head:
    """A phrase by which a document calls itself a type, and how prominently it does."""

    kind: T
    run: Run
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Classified:
    """The type chosen, how sure, and the heading that decided (if one did)."""

    kind: T
    confidence: float
    head: Head | None


@cache
def _patterns(signs: bool) -> dict[T, re.Pattern[str]]:
    source = _SIGNS if signs else _HEADS
    return {kind: labels(phrases) for kind, phrases in source.items() if phrases}


@cache
def form_words() -> dict[str, frozenset[str]]:
    """Words per language that documents without sentences consist of, for telling the language of a till slip."""
    return {
        "de": frozenset("rechnung datum betrag summe gesamt mwst netto brutto kunde menge preis beleg kasse straße telefon steuer uhr gegeben bar rückgeld lieferschein angebot seite anzahl bezeichnung einzelpreis gesamtpreis konto ust artikel position".split()),
        "en": frozenset("invoice total amount tax cash change receipt subtotal price quantity qty description due page item items bill customer order payment account balance number phone street unit paid thank".split()),
        "fr": frozenset("facture montant total prix quantité tva date référence désignation client adresse téléphone page ttc payer".split()),
        "es": frozenset("factura importe fecha cantidad precio cliente dirección iva descripción teléfono página pagar".split()),
        "it": frozenset("fattura importo data quantità prezzo cliente indirizzo iva descrizione telefono pagina totale".split()),
        "nl": frozenset("factuur bedrag datum aantal prijs klant adres btw omschrijving telefoon pagina totaal".split()),
    }  # fmt: skip


def heads(layout: Layout) -> list[Head]:
    """Headings on the first page that name a type, the weightiest first."""
    found: list[Head] = []
    page = layout.first
    labels_of_values = _labels_of_values(page)
    for rank, cell in enumerate(page.cells[:70]):
        if (cell.top < 0.75 * page.height or rank < 20) and cell not in labels_of_values:
            found += _heads_in(cell, rank, cell.height / page.body_height, cell.top / page.height)
    return sorted(found, key=lambda head: -head.weight)


def _labels_of_values(page: Page) -> list[Run]:
    """Cells in ordinary type whose neighbour on the right is a colon or a short value: "Order   4711"."""
    return [
        cell
        for line in page.lines
        for cell, neighbour in zip(line.cells, line.cells[1:], strict=False)
        if cell.height < 1.3 * page.body_height
        and (neighbour.text.startswith(":") or re.fullmatch(r"\W?[\w./-]*\d[\w./-]*", neighbour.text))
    ]


def _heads_in(cell: Run, rank: int, prominence: float, position: float) -> Iterator[Head]:
    subject = _SUBJECT.match(cell.text)
    begin = subject.end() if subject else 0
    if len(cell.text) > 110:
        return
    for kind, pattern in _patterns(signs=False).items():
        match = pattern.search(cell.text, begin)
        if match:
            weight = _head_weight(
                cell.text[begin:], match.start() - begin, match.end() - begin, prominence, bool(subject)
            )
            if weight > 0:
                yield Head(
                    kind, cell, match.start(), match.end(), weight - 0.03 * rank - (1.0 if position > 0.6 else 0.0)
                )


def _head_weight(text: str, start: int, end: int, prominence: float, subject: bool) -> float:
    """How much a phrase in a heading counts: whole lines, first words, large type and longer phrases count more."""
    rest = re.sub(r"[\W\d_]+", "", text[:start] + text[end:])
    weight = HEAD_WEIGHT if start <= 3 else 3.4
    weight += min(1.0, (end - start) / 30)
    weight += 2.2 if prominence > 1.45 else 1.4 if prominence > 1.15 else 0.0
    weight += 1.2 if len(rest) <= 3 else 0.0
    if subject:
        weight += 0.5 if start <= 8 else -1.0
    elif prominence < 1.15 and len(rest) > 30:
        return 0.0
    elif prominence < 1.15 and len(rest) > 12:
        weight -= 2.6
    if text[end : end + 2].strip().startswith(":") and prominence < 1.3:
        weight -= 3.2
    return weight


def classified(layout: Layout, filename_words: str = "") -> Classified | None:
    """The type of the document, or none when nothing says it clearly."""
    found = heads(layout)
    scores = {kind: 0.0 for kind in T}
    for head in found:
        scores[head.kind] = max(scores[head.kind], head.weight)
    for kind, value in _sign_scores(layout).items():
        scores[kind] += value
    scores[T.LETTER] += _letter_score(layout, found)
    scores[T.RECEIPT] += (4.0 if _is_slip(layout) else 0.0) + _till_score(layout)
    for kind, pattern in _patterns(signs=False).items():
        scores[kind] += 2.0 if pattern.search(filename_words) else 0.0
    _settle(scores)
    (best, first), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    if first < THRESHOLD or first - second < 0.35:
        return None
    decisive = next((head for head in found if head.kind is best), None)
    return Classified(best, _confidence(first, second, decisive is not None), decisive)


def _sign_scores(layout: Layout) -> dict[T, float]:
    text = layout.text[:30_000]
    scores = {}
    for kind, pattern in _patterns(signs=True).items():
        distinct = {match.group().lower() for match, _ in zip(pattern.finditer(text), range(300), strict=False)}
        scores[kind] = min(5.0, 0.75 * len(distinct)) if len(distinct) > 1 else 0.3 * len(distinct)
    return scores


def _letter_score(layout: Layout, found: list[Head]) -> float:
    """Letters have no word for themselves: they greet, they close, and their subject is about anything."""
    cells = [cell.text for cell in layout.first.cells]
    greets = any(_SALUTATION.match(text) and len(text) < 90 for text in cells)
    closes = any(_CLOSING.search(line.text) and len(line.text) < 130 for line in layout.lines)
    score = 2.6 * greets + 2.6 * closes + (1.2 if greets and closes else 0.0)
    about = any(_LETTER_HEADS.search(text) and len(text) < 90 for text in cells[:40])
    return score + (1.2 if score and about else 0.0)


_TENDERED = re.compile(
    r"(?:^|\n|\s)(?:cash|bar|barzahlung|gegeben|visa|mastercard|credit|debit|card|karte|ec-?karte|girocard|espèces|efectivo|contanti)\b"
    r"[^\n]{0,24}[.,]\d\d",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"(?:^|\n|\s)(?:change|rückgeld|zurück|wechselgeld|rendu|cambio|resto|wisselgeld)\b[^\n]{0,24}[.,]\d\d", re.IGNORECASE
)
_TIME_OF_DAY = re.compile(r"(?<!\d)\d{1,2}\s?:\s?\d\d(?!\d)")
SLIP_LINE_CHARACTERS = 50


def _till_score(layout: Layout) -> float:
    """Where money was given and change returned it is a receipt, whatever the law has it call itself."""
    text = layout.text[:20_000]
    return 3.5 * bool(_CHANGE.search(text)) + 3.5 * bool(_TENDERED.search(text) and _CHANGE.search(text))


def _is_slip(layout: Layout) -> bool:
    """Whether the only page is a narrow till slip: short lines throughout, a time of day, amounts."""
    page = layout.first
    lengths = sorted(len(line.text) for line in page.lines)
    narrow = len(lengths) >= 10 and lengths[int(0.95 * len(lengths))] <= SLIP_LINE_CHARACTERS
    timed = _TIME_OF_DAY.search(layout.text) is not None
    return layout.page_count == 1 and narrow and timed and len(re.findall(r"\d[.,]\d\d(?!\d)", layout.text)) >= 3


def _settle(scores: dict[T, float]) -> None:
    """Types that contain one another's words: the more special one wins where it is spoken of at all clearly."""
    if scores[T.UTILITY_BILL] > 6 and scores[T.INVOICE] > 0:
        scores[T.UTILITY_BILL] += 0.35 * scores[T.INVOICE]
    if scores[T.LETTER] and max(value for kind, value in scores.items() if kind is not T.LETTER) > 7.5:
        scores[T.LETTER] *= 0.6
    if scores[T.CREDIT_NOTE] > 6:
        scores[T.INVOICE] *= 0.8
    if scores[T.RECEIPT] > 7:
        scores[T.INVOICE] *= 0.7
    if scores[T.REMINDER] > 6:
        scores[T.INVOICE] *= 0.75
    if scores[T.RECEIPT] < 5 and scores[T.INVOICE] > 6:
        scores[T.RECEIPT] *= 0.6


def _confidence(first: float, second: float, headed: bool) -> float:
    margin = (first - second) / first
    confidence = 0.5 + 0.35 * min(1.0, margin / 0.5) + 0.012 * min(10.0, first)
    return min(0.97, confidence) if headed else min(0.8, confidence - 0.08)
