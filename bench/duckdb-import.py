"""
Reads log files with DuckDB's `read_json` and writes them as one zstd Parquet file: the reference of `bench/import.ts`.

Arguments: a glob of `.json.gz` files, the Parquet file to write. Prints the number of rows and the seconds it took, start
and imports of this process left out. Columns are typed beforehand, as a lake would have them; nested values stay JSON text.
"""
import sys
import time

import duckdb

TEXT = ["eventVersion", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage",
        "requestID", "eventID", "eventType", "recipientAccountId", "sharedEventID", "vpcEndpointId", "eventCategory", "apiVersion"]
NESTED = ["userIdentity", "requestParameters", "responseElements", "additionalEventData", "resources", "tlsDetails"]
FIELDS = [f"{name} VARCHAR" for name in TEXT] + [f"{name} JSON" for name in NESTED]
FIELDS += ["eventTime TIMESTAMP", "readOnly BOOLEAN", "managementEvent BOOLEAN"]

files, parquet = sys.argv[1:]
database = duckdb.connect()
started = time.perf_counter()
database.execute(
    f"""COPY (SELECT unnest(Records, max_depth := 2) FROM read_json('{files}', compression = 'gzip', format = 'unstructured',
        maximum_object_size = 1073741824, columns = {{Records: 'STRUCT({', '.join(FIELDS)})[]'}}))
    TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)"""
)
took = time.perf_counter() - started
rows = database.execute(f"SELECT count(*) FROM '{parquet}' WHERE eventID IS NOT NULL").fetchone()[0]
print(rows, took, duckdb.__version__)
