"""What a function's process gets to know: what its manifest names, and what any program needs to run. Nothing else.

So convert, ocr and enrich never see the database's address, and enrich alone sees the key of the language model.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from local.manifests import Service

_ANY_PROGRAM = re.compile(
    r"PATH|HOME|USER|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TERM|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE"
    r"|(?i:https?_proxy|no_proxy)|TESSDATA_PREFIX|LD_LIBRARY_PATH|PYTHONPATH|PYTHONPYCACHEPREFIX|PYTHONDONTWRITEBYTECODE"
)


def function_environment(service: Service, root: Path, configuration: Mapping[str, str]) -> dict[str, str]:
    """The environment of one function's process.

    `root` is the directory that holds `functions/`; `configuration` stands for the cluster's ConfigMap and Secrets, and
    for the environment of any program.
    """
    source = root / "functions" / service.name / "main.py"
    return {
        **{name: value for name, value in configuration.items() if _ANY_PROGRAM.fullmatch(name)},
        **_named_by_manifest(service, configuration),
        "DATA_DIR": configuration["DATA_DIR"],
        "FUNCTION_SOURCE": str(source),
        "FUNCTION_TARGET": service.name,
        "K_SERVICE": service.name,
        "PORT": "8080",
        "PYTHONUNBUFFERED": "1",
        # Tesseract's own threads cost several times the processor time they save.
        "OMP_THREAD_LIMIT": "1",
    }


def _named_by_manifest(service: Service, configuration: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for variable in service.variables:
        value = variable.value if variable.key is None else configuration.get(variable.key)
        if value is not None:
            values[variable.name] = value
    return values
