-- What a user would write in the database: the same in PL/Python.
DROP FUNCTION IF EXISTS read_by_python(text);
CREATE FUNCTION read_by_python(url text) RETURNS SETOF record
LANGUAGE plpython3u AS $$
import gzip
import json
import urllib.request

request = urllib.request.Request(
    url, data=b"{}", headers={"Content-Type": "application/json"})
with urllib.request.urlopen(request) as response:
    text = response.read()
    if response.headers.get("Content-Encoding") == "gzip":
        text = gzip.decompress(text)
wide = "wide" in url
for e in json.loads(text)["employees"]:
    work = e["work"]
    internal = e["internal"]
    if wide:
        yield (e["id"], e["email"], e["fullName"], work["site"],
               internal["status"], work["startDate"],
               internal["terminationDate"], work["isManager"])
    else:
        yield (e["id"], e["email"], e["fullName"], internal["status"],
               work["startDate"])
$$;
