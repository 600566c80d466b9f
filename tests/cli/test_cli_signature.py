"""`scoreline verify --signature`: keys and signatures made by OpenSSL as docs/release.md says."""
import base64
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import COMMAND, STUMPS, fail, run, succeed


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """A folder with a model, a signature, the key that made it, and another key."""
    missing = shutil.which("openssl") is None and "openssl"
    if b"crypto_sign_verify_detached" not in pathlib.Path(COMMAND).read_bytes():
        missing = "libsodium-dev when the command was built"
    if missing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"not installed: {missing}")
    folder = tmp_path_factory.mktemp("signed")
    shutil.copy(model, folder / "model.slm")
    for name in ("key", "other"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / f"{name}.pem")
        openssl("pkey", "-in", folder / f"{name}.pem", "-pubout", "-out", folder / f"{name}.pub.pem")
    sign(folder, "model.slm")
    return folder


def sign(folder, name):
    openssl("pkeyutl", "-sign", "-inkey", folder / "key.pem", "-rawin", "-in", folder / name, "-out", folder / f"{name}.sig")


def check(folder, name="model.slm", signature="model.slm.sig", key="key.pub.pem", code=0):
    done = run("verify", folder / name, "--signature", folder / signature, "--public-key", folder / key)
    assert done.returncode == code, (done.out, done.err)
    return done


def der_of(folder):
    body = (folder / "key.pub.pem").read_text().split("-----")[2]
    return base64.b64decode(body)


def test_signed_model(made):
    lines = check(made).out.splitlines()
    assert lines[0].startswith("signature  ok: Ed25519") and lines[1].endswith("golden rows") and "portable   ok" in lines[2]
    done = succeed("verify", "-q", made / "model.slm", "--signature", made / "model.slm.sig", "--public-key", made / "key.pub.pem")
    assert done.out == ""


@pytest.mark.parametrize("form", ["der", "raw", "base64", "base64 of der", "base64 with lines"])
def test_forms_of_keys(made, form, tmp_path):
    der = der_of(made)
    assert len(der) == 44
    raw = der[12:]
    text = {"der": der, "raw": raw, "base64": base64.b64encode(raw), "base64 of der": base64.b64encode(der),
            "base64 with lines": base64.b64encode(raw)[:20] + b"\r\n" + base64.b64encode(raw)[20:] + b"\n"}[form]
    (made / "form").write_bytes(text)
    check(made, key="form")


def test_signature_in_base64(made):
    (made / "text.sig").write_bytes(base64.encodebytes((made / "model.slm.sig").read_bytes()))
    check(made, signature="text.sig")


def test_another_key(made):
    assert "signature does not fit" in check(made, key="other.pub.pem", code=1).err


@pytest.mark.parametrize("at", [0, 40, -1])
def test_changed_file(made, at):
    data = bytearray((made / "model.slm").read_bytes())
    data[at] ^= 1
    (made / "changed.slm").write_bytes(data)
    done = check(made, name="changed.slm", code=1)
    assert "signature does not fit" in done.err and done.out == ""  # before anything looks into the file


def test_longer_and_shorter_file(made):
    data = (made / "model.slm").read_bytes()
    for other in (data + b"\0", data[:-1], b""):
        (made / "changed.slm").write_bytes(other)
        assert "signature does not fit" in check(made, name="changed.slm", code=1).err


@pytest.mark.parametrize("bytes_of", [lambda s: s[:63], lambda s: s + b"x", lambda s: b"", lambda s: s[:32], lambda s: b"\0" * 5000,
                                      lambda s: base64.b64encode(s)[:-4], lambda s: b"not a signature!\n"])
def test_no_signature(made, bytes_of):
    (made / "bad.sig").write_bytes(bytes_of((made / "model.slm.sig").read_bytes()))
    message = check(made, signature="bad.sig", code=1).err
    assert "is no Ed25519 signature" in message or "more than 4096 bytes" in message


def test_changed_signature(made):
    signature = bytearray((made / "model.slm.sig").read_bytes())
    for at in range(0, 64, 7):
        signature[at] ^= 4
        (made / "bad.sig").write_bytes(signature)
        assert "signature does not fit" in check(made, signature="bad.sig", code=1).err


def test_no_key(made):
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", made / "rsa.pem")
    openssl("pkey", "-in", made / "rsa.pem", "-pubout", "-out", made / "rsa.pub.pem")
    (made / "zeros").write_bytes(b"\0" * 44)
    (made / "short").write_bytes(der_of(made)[:-1])
    for key in ("rsa.pub.pem", "key.pem", "zeros", "short", "model.slm.sig"):
        assert "is no Ed25519 public key" in check(made, key=key, code=1).err, key
    assert "cannot be opened" in check(made, key="nowhere", code=1).err
    assert "cannot be opened" in check(made, signature="nowhere", code=1).err


def test_weak_key(made):
    """A key of small order, for which signatures of anything could be made."""
    (made / "weak").write_bytes(b"\1" + b"\0" * 31)
    (made / "weak.sig").write_bytes(b"\1" + b"\0" * 63)
    assert "signature does not fit" in check(made, signature="weak.sig", key="weak", code=1).err


def test_signed_but_no_slm(made):
    shutil.copy(STUMPS, made / "stumps.json")
    sign(made, "stumps.json")
    assert "is no .slm file" in check(made, name="stumps.json", signature="stumps.json.sig", code=1).err
    (made / "damaged.slm").write_bytes((made / "model.slm").read_bytes()[:-20])
    sign(made, "damaged.slm")
    assert "cut short" in check(made, name="damaged.slm", signature="damaged.slm.sig", code=1).err


def test_both_options_are_needed(made):
    assert "go together" in fail(2, "verify", made / "model.slm", "--signature", made / "model.slm.sig").err
    assert "go together" in fail(2, "verify", made / "model.slm", "--public-key", made / "key.pub.pem").err


def test_a_build_without_signatures_says_so(model):
    if b"crypto_sign_verify_detached" in pathlib.Path(COMMAND).read_bytes():
        pytest.skip("this build has them")
    assert "meson option signature" in fail(1, "verify", model, "--signature", model, "--public-key", model).err
