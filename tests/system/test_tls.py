"""HTTPS: who is let in, how a certificate is renewed, what the command line trusts; and what all answers share."""
import gzip
import http.client
import json
import os
import socket
import ssl
import subprocess

import pytest
import websocket
from harness import BIN, Supervisor, eventually

FIELDWARDEN = BIN / "fieldwarden"


def certificate(folder, name, host="localhost"):
    """A self-signed certificate and its key."""
    pair = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1",
                    "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair


def trusting(file):
    context = ssl.create_default_context(cafile=file)
    context.check_hostname = False
    return context


def get(supervisor, context, path="/healthz", **headers):
    host, port = supervisor.address.split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.fixture
def secured(tmp_path):
    """A supervisor that speaks TLS, and its files."""
    pair = certificate(tmp_path, "first")
    (tmp_path / "data").mkdir()
    supervisor = Supervisor(tmp_path / "data", server_tls_certificate=pair[0], server_tls_private_key=pair[1])
    supervisor.start()
    yield supervisor, pair, tmp_path
    supervisor.stop()


def test_answers_over_tls_only(secured):
    supervisor, (file, _), _ = secured
    answer, body = get(supervisor, trusting(file))
    assert answer.status == 200 and json.loads(body)["status"] == "alive"
    assert "max-age" in answer.getheader("Strict-Transport-Security")
    with pytest.raises(ssl.SSLCertVerificationError):
        get(supervisor, ssl.create_default_context())
    # In clear there is nothing but the advice.
    host, port = supervisor.address.split(":")
    plain = http.client.HTTPConnection(host, int(port), timeout=10)
    plain.request("GET", "/api/v1/tasks", headers={"Authorization": "Bearer " + supervisor.token})
    answer = plain.getresponse()
    assert answer.status == 400 and "https://" in json.loads(answer.read())["detail"]


def test_old_protocols_are_refused(secured):
    supervisor, (file, _), _ = secured
    context = trusting(file)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        get(supervisor, context)


def test_a_handshake_that_never_ends_and_noise_disturb_nobody(secured):
    supervisor, (file, _), _ = secured
    host, port = supervisor.address.split(":")
    held = []
    for sent in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\xff\xff" + os.urandom(2000), os.urandom(500)):
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(sent)
        held.append(connection)
    assert get(supervisor, trusting(file))[0].status == 200
    for connection in held:
        connection.close()


def test_a_renewed_certificate_is_served_without_a_restart(secured):
    supervisor, (file, key), folder = secured
    old = trusting(file)
    second = certificate(folder, "second")
    # One file after the other, as renewals do: between the two the pair does not fit, and the old one goes on.
    os.replace(second[1], key)
    eventually(lambda: get(supervisor, old) and "old one stays in force" in supervisor.said(), "the refusal of half a renewal")
    new = trusting(second[0])
    os.replace(second[0], file)

    def renewed():
        try:
            return get(supervisor, new)[0].status == 200
        except ssl.SSLCertVerificationError:
            return False
    eventually(renewed, "the new certificate")


def test_the_command_line_follows_a_renewal(secured):
    supervisor, (file, key), folder = secured
    second = certificate(folder, "second")
    os.replace(second[1], key)
    os.replace(second[0], file)
    for _ in range(2):  # the first connection is the one with which the server takes the new files up
        done = subprocess.run([FIELDWARDEN, "status", "--server", supervisor.address, "--data-dir", str(supervisor.data_dir)],
                              capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr


def test_the_command_line_knows_its_own_supervisor(secured):
    supervisor, (file, _), folder = secured

    def run(*arguments):
        return subprocess.run([FIELDWARDEN, *arguments], capture_output=True, text=True, timeout=30, check=False)
    data = ["--data-dir", str(supervisor.data_dir)]
    for server in (supervisor.address, "https://" + supervisor.address):
        assert run("status", "--server", server, *data).returncode == 0
    # Elsewhere it is not known, unless the authority is.
    token = ["--token", supervisor.token, "--server", "https://" + supervisor.address]
    (folder / "elsewhere").mkdir()
    refused = run("status", "--data-dir", str(folder / "elsewhere"), *token)
    assert refused.returncode == 3 and "--ca-file" in refused.stderr
    assert run("status", "--data-dir", str(folder / "elsewhere"), "--ca-file", str(file), *token).returncode == 0
    # Somebody else's certificate on that port is not trusted either.
    (supervisor.data_dir / "run" / "tls_pin").write_text("sha256//" + "A" * 43 + "=\n")
    assert run("status", "--server", supervisor.address, *data).returncode == 3


@pytest.mark.parametrize("broken, what", [("missing", "No such file"), ("text", "PEM"), ("other_key", "mismatch"),
                                          ("encrypted", "pass phrase")])
def test_check_names_what_is_wrong_with_the_files(tmp_path, broken, what):
    file, key = certificate(tmp_path, "good")
    if broken == "missing":
        file.unlink()
    elif broken == "text":
        file.write_text("no certificate")
    elif broken == "other_key":
        _, key = certificate(tmp_path, "other")
    else:
        subprocess.run(["openssl", "ec", "-aes256", "-in", key, "-out", tmp_path / "locked.key", "-passout", "pass:x"],
                       check=True, capture_output=True)
        key = tmp_path / "locked.key"
    checked = subprocess.run([FIELDWARDEN, "serve", "--check", "--data-dir", str(tmp_path / "data")], text=True,
                             capture_output=True, timeout=30, stdin=subprocess.DEVNULL, check=False,
                             env={**os.environ, "FIELDWARDEN_SERVER_TLS_CERTIFICATE": str(file),
                                  "FIELDWARDEN_SERVER_TLS_PRIVATE_KEY": str(key)})
    assert checked.returncode == 1 and "server.tls_" in checked.stderr and what in checked.stderr, checked.stderr


def test_lists_are_packed_and_not_sent_twice(secured):
    supervisor, (file, _), _ = secured
    context = trusting(file)
    answer, body = get(supervisor, context, "/openapi.json", **{"Accept-Encoding": "gzip"})
    assert answer.getheader("Content-Encoding") == "gzip"
    assert json.loads(gzip.decompress(body))["openapi"].startswith("3.1")
    bearer = {"Authorization": "Bearer " + supervisor.token}
    answer, _ = get(supervisor, context, "/api/v1/tasks", **bearer)
    again, body = get(supervisor, context, "/api/v1/tasks", **bearer, **{"If-None-Match": answer.getheader("ETag")})
    assert again.status == 304 and body == b""


def test_streams_go_over_tls_too(secured):
    supervisor, (file, _), _ = secured
    stream = websocket.create_connection(
        f"wss://{supervisor.address}/ws", timeout=10, sslopt={"ca_certs": str(file), "check_hostname": False},
        header=["Authorization: Bearer " + supervisor.token])
    stream.send(json.dumps({"action": "subscribe", "topics": ["health_summary"]}))
    assert json.loads(stream.recv())["type"] == "subscribed"
    stream.close()


def test_a_websocket_is_compressed_for_who_asks(secured):
    supervisor, (file, _), _ = secured
    answer, _ = get(supervisor, trusting(file), "/ws", **{
        "Authorization": "Bearer " + supervisor.token, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"})
    assert answer.status == 101
    assert "permessage-deflate" in answer.getheader("Sec-WebSocket-Extensions")


def test_one_user_has_so_many_streams_and_no_more(tmp_path):
    supervisor = Supervisor(tmp_path, server_max_streams_per_user=2)
    supervisor.start()

    def stream():
        return websocket.create_connection(f"ws://{supervisor.address}/ws", timeout=10,
                                           header=["Authorization: Bearer " + supervisor.token])
    try:
        first, second = stream(), stream()
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            stream()
        assert refused.value.status_code == 429
        first.close()

        def granted():
            try:
                stream().close()
                return True
            except websocket.WebSocketBadStatusException:
                return False
        eventually(granted, "the place of the one that left")
        second.close()
    finally:
        supervisor.stop()


def test_every_request_leaves_a_line(secured):
    supervisor, (file, _), _ = secured
    context = trusting(file)
    get(supervisor, context, "/api/v1/tasks?q=x", Authorization="Bearer " + supervisor.token, **{"X-Request-Id": "mine"})
    get(supervisor, context, "/api/v1/tasks", Authorization="Bearer wrong", **{"X-Request-Id": "theirs"})

    def lines():
        text = (supervisor.data_dir / "log" / "access.jsonl").read_text()
        return {line["request_id"]: line for line in map(json.loads, text.splitlines())}
    eventually(lambda: {"mine", "theirs"} <= lines().keys(), "the lines")
    mine, theirs = lines()["mine"], lines()["theirs"]
    assert (mine["user"], mine["method"], mine["path"], mine["status"]) == ("admin.token", "GET", "/api/v1/tasks", 200)
    assert mine["bytes"] > 0 and mine["ms"] > 0 and mine["remote"] == "127.0.0.1"
    assert (theirs["user"], theirs["status"]) == ("", 401)
