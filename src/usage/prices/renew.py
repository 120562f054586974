"""Renews prices.json from a release of genai-prices (PyPI, MIT licence).

    python3 src/usage/prices/renew.py 0.2.3

Takes the facts alone: who is matched by what, and the prices, as decimal strings.
"""

import dataclasses
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import types
import zipfile
from decimal import Decimal

FACTS = {
    "Provider": ["id", "api_pattern", "model_match", "provider_match", "fallback_model_providers", "models"],
    "ModelInfo": ["id", "match", "context_window", "prices", "price_variants"],
}


def plain(value):
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if type(value).__name__ == "ModelPrice":
        return {key: plain(each) for key, each in vars(value).items() if each is not None}
    if dataclasses.is_dataclass(value):
        names = FACTS.get(type(value).__name__) or [field.name for field in dataclasses.fields(value)]
        members = ((name, getattr(value, name)) for name in names)
        return {name.rstrip("_"): plain(each) for name, each in members if each is not None}
    return value


def main(version):
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory]
        subprocess.run([*command, f"genai-prices=={version}"], check=True)
        (wheel,) = pathlib.Path(directory).glob("*.whl")
        zipfile.ZipFile(wheel).extractall(directory)
        sys.path.insert(0, directory)
        # Its update check wants an HTTP client, which the data does not need.
        sys.modules.setdefault("httpx2", types.ModuleType("httpx2"))
        sys.modules.setdefault("genai_prices.update_prices", types.SimpleNamespace(
            UpdatePrices=None, wait_prices_updated_async=None, wait_prices_updated_sync=None))
        from genai_prices.data import providers
        from genai_prices.data_units import unit_data

    document = {
        "source": f"genai-prices {version}, https://pypi.org/project/genai-prices/ (MIT)",
        "version": version,
        "units": {key: {"price": unit.get("price_key", key), "per": unit["per"], "is": unit["dimensions"]}
                  for key, unit in unit_data.items()},
        "providers": plain(providers),
    }
    target = pathlib.Path(__file__).with_name("prices.json")
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


main(sys.argv[1])
