"""Alert mail against an independent SMTP server (aiosmtpd): encryption, sign-in, and what is said when either is refused."""

import email
import email.header
import ssl
import subprocess

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

PASSWORD = "Pa55 wörd"


class Post:
    """Takes mails; `controller` runs it on a free port."""

    def __init__(self):
        self.mails, self.encrypted = [], []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 taken"

    def authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"plant", PASSWORD.encode()), handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mail")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return folder


@pytest.fixture
def server(certificate):
    running = []

    def start(implicit=False, login=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        post = Post()
        more = {"ssl_context": context} if implicit else {"tls_context": context, "require_starttls": True}
        controller = FreePort(post, hostname="127.0.0.1", port=0, authenticator=post.authenticate, auth_required=login,
                              auth_require_tls=not implicit, **more)
        controller.start()
        running.append(controller)
        post.port = controller.server.sockets[0].getsockname()[1]
        return post

    yield start
    for controller in running:
        controller.stop()


class FreePort(Controller):
    """Port 0: the test that the server answers needs the real one."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def channel(supervisor, scheme, post, certificate, **options):
    merged = {"url": f"{scheme}://127.0.0.1:{post.port}", "from": "plant@example.com", "to": "ann@example.com, bob@example.com",
              "username": "plant", "password": PASSWORD, "ca_file": str(certificate / "cert.pem"), "timeout": "5s", **options}
    supervisor.api("POST", "/alert-channels", 201, json={"code": "mail", "name": "Mail", "type": "email",
                                                         "options": {k: v for k, v in merged.items() if v is not None}})
    return supervisor.api("POST", "/alert-channels/mail/test", 200)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_signs_in_over_an_encrypted_connection(supervisor, server, certificate, scheme):
    post = server(implicit=scheme == "smtps")
    answer = channel(supervisor, scheme, post, certificate)
    assert answer["ok"], answer
    (receivers, mail), = post.mails
    assert receivers == ["ann@example.com", "bob@example.com"]
    assert post.encrypted == [True]
    assert mail["From"] == "<plant@example.com>"
    assert "Fieldwarden" in str(email.header.make_header(email.header.decode_header(mail["Subject"])))
    assert mail.get_payload(decode=True).decode()


@pytest.mark.parametrize("options, says", [
    ({"password": "wrong"}, "password"),
    ({"username": None, "password": None}, "530"),
    ({"ca_file": None}, "ca_file"),
    ({"starttls": "none", "username": None, "password": None}, "530"),
])
def test_what_is_refused(supervisor, server, certificate, options, says):
    post = server()
    answer = channel(supervisor, "smtp", post, certificate, **options)
    assert not answer["ok"] and post.mails == []
    assert says in answer["detail"].lower(), answer
    assert PASSWORD not in str(answer) and "wrong" not in answer["detail"]
    assert f"127.0.0.1:{post.port}" in answer["detail"]


def test_a_password_never_goes_out_in_the_clear(supervisor, server, certificate):
    """The server offers no encryption and would take the password: the default does not give it."""
    post = Post()
    controller = FreePort(post, hostname="127.0.0.1", port=0, authenticator=post.authenticate, auth_required=True, auth_require_tls=False)
    controller.start()
    try:
        post.port = controller.port
        answer = channel(supervisor, "smtp", post, certificate)
        assert not answer["ok"] and post.mails == [] and "no encryption" in answer["detail"], answer
    finally:
        controller.stop()


def test_a_certificate_that_is_not_checked_on_request(supervisor, server, certificate):
    post = server()
    answer = channel(supervisor, "smtp", post, certificate, ca_file=None, verify_tls="false")
    assert answer["ok"] and len(post.mails) == 1, answer
