"""Default deny: nothing is imported but what the allow-list names, with exactly the bytes that were hashed."""

import hashlib
import marshal
import os
import sys
from importlib import import_module
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.trust.making import DOES, Folder, answer_of, catalog_of, signers

from sheetgrpc.config import StartError
from sheetgrpc.trust.importing import admit, load
from sheetgrpc.trust.loading import load_handlers, look_at
from sheetgrpc.trust.model import TrustedModule
from sheetgrpc.trust.signing import sign

ANNA, BERT = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_trusted_module_is_loaded_and_its_decision_told(folder: Folder) -> None:
    name = folder.simple()
    folder.allows(folder.line(name))
    handlers = folder.load(f"{name}:do")
    digest = hashlib.sha256((folder.modules / f"{name}.py").read_bytes()).hexdigest()
    assert answer_of(handlers) == "yes"
    assert handlers.trusted == (TrustedModule(name, "", digest),)


def test_an_unlisted_module_keeps_the_server_from_starting(folder: Folder) -> None:
    """And is not imported; every such verb is named."""
    one, other = folder.simple(), folder.write({"NAME.py": "raise RuntimeError('imported')"})
    folder.allows(folder.line(one))
    with pytest.raises(StartError) as refused:
        folder.load(f"{other}:do", f"{one}:do", f"{other}.inner:do")
    assert str(refused.value).count(f'module "{other}" is not on the allow-list') == 2
    assert not {one, other} & sys.modules.keys()


def test_without_an_allow_list_nothing_is_trusted(folder: Folder) -> None:
    name = folder.simple()
    with pytest.raises(StartError, match="there is none, name it with --allow"):
        load_handlers(catalog_of(f"{name}:do"), "", str(folder.modules))


def test_a_catalog_without_calls_needs_no_allow_list_and_imports_nothing(folder: Folder) -> None:
    name = folder.simple()
    folder.allows(folder.line(name))
    plain = catalog_of(f"{name}:do")
    plain.verbs.clear()  # type: ignore[attr-defined]  # a dict it is
    assert load_handlers(plain, "", "").trusted == ()
    assert load_handlers(plain, str(folder.allow), str(folder.modules)).trusted == ()
    assert name not in sys.modules


def test_tampered_bytes_are_refused_with_both_digests(folder: Folder) -> None:
    """C-R71: also where nothing calls the module; nothing of it has run."""
    name, other = folder.simple(), folder.simple()
    folder.allows(folder.line(name), folder.line(other))
    expected = look_at(name, str(folder.modules)).sha256
    folder.write({"NAME.py": "raise RuntimeError('imported')"}, name)
    actual = look_at(name, str(folder.modules)).sha256
    for handler in (f"{name}:do", f"{other}:do"):
        with pytest.raises(StartError, match=f"its SHA-256 is {actual}, expected {expected}"):
            folder.load(handler)
    assert name not in sys.modules


def test_a_version_that_is_not_the_allowed_one_is_refused(folder: Folder) -> None:
    name = folder.simple()
    folder.allows(folder.line(name).replace("sha256", 'version: "1.2", sha256'))
    with pytest.raises(StartError, match=r'its version is "", expected "1.2"'):
        folder.load(f"{name}:do")


def test_the_version_is_that_of_the_distribution(folder: Folder) -> None:
    """Of what is installed; a module of the folder has none."""
    assert look_at("yaml", "").version == sys.modules["yaml"].__version__
    folder.write({"NAME.py": ""}, "yaml")
    assert look_at("yaml", str(folder.modules)).version == ""


def test_the_digest_of_a_package_is_that_of_its_files(folder: Folder) -> None:
    """As sha256sum prints them, in the order of bytes; other files do not count."""
    name = folder.write({"NAME/__init__.py": "A = 1\n", "NAME/b/c.py": "", "NAME/b.py": "B = 2\n", "NAME/d.txt": "no"})
    files = [f"{name}/__init__.py", f"{name}/b.py", f"{name}/b/c.py"]
    lines = [f"{hashlib.sha256((folder.modules / file).read_bytes()).hexdigest()}  {file}\n" for file in files]
    assert look_at(name, str(folder.modules)).sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("change", ["changed", "added", "removed", "renamed"])
def test_every_file_of_a_package_counts(folder: Folder, change: str) -> None:
    name = folder.write({"NAME/__init__.py": DOES.format(answer=1), "NAME/used.py": "", "NAME/never.py": "X = 1"})
    folder.allows(folder.line(name))
    never = folder.modules / name / "never.py"
    match change:
        case "changed":
            never.write_text("X = 2")
        case "added":
            (folder.modules / name / "more.py").write_text("")
        case "removed":
            never.unlink()
        case _:
            never.rename(never.with_name("else.py"))
    with pytest.raises(StartError, match="is not what the allow-list"):
        folder.load(f"{name}:do")


def test_what_runs_is_what_was_hashed_whatever_the_disk_says_by_then(folder: Folder) -> None:
    """C-R72's time between check and use: the file is another by the time it is imported, also of a late import."""
    name = folder.write(
        {
            "NAME/__init__.py": "def do(call):\n    from NAME.late import answer\n    return answer\n",
            "NAME/late.py": "answer = 'hashed'",
        }
    )
    unit = look_at(name, str(folder.modules))
    folder.write({"NAME/__init__.py": "raise RuntimeError", "NAME/late.py": "answer = 'swapped'"}, name)
    (folder.modules / name / "put.py").write_text("")
    admit([unit])
    module = load(name)
    assert module.do(None) == "hashed"
    with pytest.raises(ModuleNotFoundError, match="was there when"):
        import_module(f"{name}.put")


def test_compiled_files_are_neither_read_nor_written(folder: Folder) -> None:
    """A planted .pyc would run in place of the source that was hashed."""
    name = folder.simple("source")
    cache = folder.modules / "__pycache__"
    cache.mkdir()
    source = (folder.modules / f"{name}.py").stat()
    code = compile("def do(call):\n    return 'planted'\n", name, "exec")
    header = b"".join(
        [
            MAGIC_NUMBER,
            bytes(4),
            int(source.st_mtime).to_bytes(4, "little"),
            source.st_size.to_bytes(4, "little"),
        ]
    )
    planted = cache / f"{name}.{sys.implementation.cache_tag}.pyc"
    planted.write_bytes(header + marshal.dumps(code))
    folder.allows(folder.line(name))
    assert answer_of(folder.load(f"{name}:do")) == "source"
    assert list(cache.iterdir()) == [planted]


def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Folder, tmp_path: Path) -> None:
    """C-R68: of the module itself, and of a file of a package."""
    (tmp_path / "evil.py").write_text(DOES.format(answer="evil"))
    (folder.modules / "plugin_link.py").symlink_to(tmp_path / "evil.py")
    package = folder.write({"NAME/__init__.py": ""})
    (folder.modules / package / "evil.py").symlink_to(tmp_path / "evil.py")
    for name in ("plugin_link", package):
        with pytest.raises(StartError, match="it leads out of its folder"):
            look_at(name, str(folder.modules))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "no name of a module"),
        ("..", "no name of a module"),
        ("../x", "no name of a module"),
        ("a.b", "no name of a module"),
        ("a/b", "no name of a module"),
        ("\u0430cme", "no name of a module"),
        ("os", "part of the server or of Python"),
        ("sheetgrpc", "part of the server or of Python"),
        ("no_such_module", "there is no module"),
        ("msgspec_like", "there is no module"),
        ("google", "package without __init__.py"),
        ("_cffi_backend", "no Python source"),
    ],
)
def test_what_cannot_be_covered_is_refused(folder: Folder, name: str, why: str) -> None:
    with pytest.raises(StartError, match=why):
        look_at(name, str(folder.modules))


def test_a_pipe_in_a_package_is_not_waited_for(folder: Folder) -> None:
    name = folder.write({"NAME/__init__.py": ""})
    os.mkfifo(folder.modules / name / "pipe.py")
    with pytest.raises(StartError, match="it is no plain file"):
        look_at(name, str(folder.modules))


@pytest.mark.parametrize(
    ("source", "handler", "why"),
    [
        ("do = 1", "NAME:do", "is no function"),
        ("class do: pass", "NAME:do", "is no function"),
        ("", "NAME:do", "is no function"),
        ("def do(call):\n    yield", "NAME:do", "it must return"),
        ("async def do(call):\n    yield", "NAME:do", "it must return"),
        ("def do(): pass", "NAME:do", "must take one argument"),
        ("def do(call, more): pass", "NAME:do", "must take one argument"),
        ("1 / 0", "NAME:do", "ZeroDivisionError"),
        ("def do(", "NAME:do", "SyntaxError"),
        ("import NAME.none", "NAME:do", "ModuleNotFoundError"),
        ("def do(call): pass", "NAME.inner:do", "cannot be imported"),
    ],
)
def test_a_handler_that_cannot_be_called_keeps_the_server_from_starting(
    folder: Folder, source: str, handler: str, why: str
) -> None:
    name = folder.write({"NAME.py": source})
    folder.allows(folder.line(name))
    with pytest.raises(StartError, match=why):
        folder.load(handler.replace("NAME", name))


def test_a_module_that_was_imported_unchecked_is_refused(folder: Folder) -> None:
    folder.allows(f'yaml: {{version: "{sys.modules["yaml"].__version__}", sha256: "{look_at("yaml", "").sha256}"}}')
    with pytest.raises(StartError, match='"yaml" was imported before it could be checked'):
        folder.load("yaml:load")


def test_a_module_whose_bytes_are_allowed_anew_is_loaded_anew(folder: Folder) -> None:
    name = folder.simple("old")
    folder.allows(folder.line(name))
    old = folder.load(f"{name}:do")
    folder.write({"NAME.py": DOES.format(answer="new")}, name)
    folder.allows(folder.line(name))
    assert [answer_of(old), answer_of(folder.load(f"{name}:do"))] == ["old", "new"]


def test_a_signed_module_is_loaded_and_its_signer_recorded(folder: Folder) -> None:
    name = folder.simple()
    folder.allows(folder.line(name, ANNA), head=f"signatures: required\n{signers(bert=BERT, anna=ANNA)}")
    with structlog.testing.capture_logs() as logs:
        handlers = folder.load(f"{name}:do")
    assert handlers.trusted[0].signer == "anna"
    assert [line["event"] for line in logs] == ["handlers.trusted"]


def test_an_unsigned_module_is_told_once(folder: Folder) -> None:
    """C-R71."""
    name = folder.simple()
    folder.allows(folder.line(name))
    with structlog.testing.capture_logs() as logs:
        folder.load(f"{name}:do", f"{name}:do")
    assert [(line["event"], line["log_level"]) for line in logs] == [("handlers.unsigned", "warning")]


def test_a_signature_of_something_else_is_refused(folder: Folder) -> None:
    """Another's, of other bytes, of another module, of another version, cut, or none at all."""
    name, other = folder.simple(), folder.simple("other")
    decision = look_at(name, str(folder.modules))
    told = TrustedModule(name, "", decision.sha256)
    good = sign(ANNA, told)
    wrong = [
        sign(BERT, told),
        sign(ANNA, TrustedModule(name, "1.0", decision.sha256)),
        sign(ANNA, TrustedModule(other, "", decision.sha256)),
        sign(ANNA, TrustedModule(name, "", look_at(other, str(folder.modules)).sha256)),
        good[:-4],
        "no base64",
        "====",
    ]
    line = folder.line(name, ANNA)
    assert good in line
    for signature in wrong:
        folder.allows(line.replace(good, signature), head=signers(anna=ANNA, bert=BERT))
        with pytest.raises(StartError, match='the signature is not that of "anna"'):
            folder.load(f"{name}:do")
    folder.allows(line, head=signers(anna=ANNA))
    assert answer_of(folder.load(f"{name}:do")) == "yes"
