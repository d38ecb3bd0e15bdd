"""Registers a provider of the city level, as the credit office does, so that it may report.

    CREDIT_TOKEN=… python3 register.py <host:port of catalog> <credit code> <name>
"""
# For a platform without the demo's providers. Run by hand and by tests/tests/clients.rs.
import os, sys
from pathlib import Path

import grpc  # with grpcio-tools beside it, which compiles the protocol files when the program starts

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "proto"))
catalog, catalog_rpc = grpc.protos_and_services("credit/catalog/v1/catalog.proto")


def main(address, code, name):
    auth = [("authorization", f"Bearer {os.environ.get('CREDIT_TOKEN') or sys.exit('CREDIT_TOKEN is not set')}")]
    provider = catalog.Provider(code=code, name=name, level=catalog.PROVIDER_LEVEL_CITY, enabled=True)
    office = catalog_rpc.CatalogServiceStub(grpc.insecure_channel(address))
    answer = office.RegisterProvider(catalog.RegisterProviderRequest(provider=provider), metadata=auth)
    print(f"provider {answer.provider.code} {answer.provider.name}: revision {answer.provider.revision}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:]) if len(sys.argv) == 4 else sys.exit(__doc__)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
