from tests.spec.conftest import catalog, load, refuse

__all__ = ["catalog", "load", "refuse"]
