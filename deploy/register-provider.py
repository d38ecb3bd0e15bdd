"""Registers a provider of records or renews its entry, as the credit office (R-3).

    CREDIT_TOKEN=… python3 deploy/register-provider.py <host:port of catalog> <credit code> <name> [<district>]

The district is a GB/T 2260 code; without it the provider is one of the city. Needs grpcio-tools.
"""
# Knows nothing but proto/. Run by operators and by deploy/verify.sh.
import os, sys
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "proto"))
catalog, catalog_rpc = grpc.protos_and_services("credit/catalog/v1/catalog.proto")
providers = grpc.protos("credit/catalog/v1/providers.proto")


def main(address, code, name, district=""):
    token = os.environ.get("CREDIT_TOKEN") or sys.exit("CREDIT_TOKEN is not set")
    level = "PROVIDER_LEVEL_DISTRICT" if district else "PROVIDER_LEVEL_CITY"
    provider = providers.Provider(code=code, name=name, level=level, district_code=district, enabled=True)
    stub = catalog_rpc.CatalogServiceStub(grpc.insecure_channel(address))
    answer = stub.RegisterProvider(
        catalog.RegisterProviderRequest(provider=provider),
        metadata=[("authorization", f"Bearer {token}")],
        timeout=30,
    )
    print(f"registered {answer.provider.code} {answer.provider.name}, revision {answer.provider.revision}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:]) if len(sys.argv) in (4, 5) else sys.exit(__doc__)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
