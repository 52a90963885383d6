"""What `buf generate` makes of protos/buf.gen.*.yaml compiles.

Go's and TypeScript's plugins come by the commands of the template itself. Java's and Rust's are
those that the example gateways pin; here they get the names that buf looks for.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from e2e.parts.cache import cached
from e2e.parts.gateways import JAVA, ROOT, RUST, build
from e2e.parts.toolchain import need, run
from e2e.test_typescript_client import built

__all__ = ["built"]

SYSTEM = platform.system().lower().replace("darwin", "osx")
MACHINE = re.sub("aarch64|arm64", "aarch_64", platform.machine())
POM = "{http://maven.apache.org/POM/4.0.0}"


@pytest.mark.part("buf generate")
@pytest.mark.scenario("Go: the client builds")
def test_go(tmp_path: Path) -> None:
    need("buf", "go")
    made = generate("go", tmp_path, {})
    made.rename(tmp_path / "gen")
    run(["go", "mod", "init", "example.com/gateway"], directory=tmp_path)
    run(["go", "mod", "tidy"], directory=tmp_path)
    run(["go", "vet", "./gen/..."], directory=tmp_path)


@pytest.mark.part("buf generate")
@pytest.mark.scenario("TypeScript: the client compiles")
def test_typescript(built: Path, tmp_path: Path) -> None:
    made = generate("typescript", tmp_path, {})
    (tmp_path / "node_modules").symlink_to(built / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    settings = json.loads((built / "tsconfig.json").read_text())
    settings["compilerOptions"] |= {"rootDir": str(made), "noEmit": True}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings | {"include": [str(made)]}))
    run([built / "node_modules" / ".bin" / "tsc"], directory=tmp_path)


@pytest.mark.part("buf generate")
@pytest.mark.scenario("Java: the client compiles")
def test_java(tmp_path: Path) -> None:
    need("buf", "javac", *JAVA.tools)
    build(JAVA)
    pinned = ET.parse(JAVA.path / "pom.xml").getroot().find(f"{POM}properties")
    plugins = {
        name: (_artefact(f"{artefact}:{pinned.findtext(POM + version)}", tmp_path),)
        for name, artefact, version in (
            ("protoc", "com.google.protobuf:protoc", "protobuf.version"),
            ("protoc-gen-grpc-java", "io.grpc:protoc-gen-grpc-java", "grpc.version"),
        )
    }
    made = generate("java", tmp_path, plugins)
    sources = sorted(made.rglob("*.java"))
    assert made / "com/pointsman/v1/RouteDecisionRequest.java" in sources
    libraries = JAVA.path / "target" / "lib" / "*"
    run(["javac", "-d", tmp_path / "classes", "-cp", libraries, *sources], directory=tmp_path)


@pytest.mark.part("buf generate")
@pytest.mark.scenario("Rust: the client compiles")
@pytest.mark.timeout(1_800)  # the first time it builds the plugins
def test_rust(tmp_path: Path) -> None:
    need("buf", *RUST.tools)
    made = generate("rust", tmp_path, _crates("protoc-gen-prost@0.5.0", "protoc-gen-tonic@0.5.0"))
    of_gateway = tomllib.loads((RUST.path / "Cargo.toml").read_text())["dependencies"]
    uses = {name: of_gateway[name] for name in ("prost", "prost-types", "tonic", "tonic-prost")}
    (tmp_path / "src").mkdir()
    file = made / "pointsman/v1/pointsman.v1.rs"
    (tmp_path / "src" / "lib.rs").write_text(f'include!("{file}");\n')
    lines = [f"{name} = {_toml(spec)}" for name, spec in uses.items()]
    head = '[package]\nname = "client"\nversion = "0.1.0"\nedition = "2024"\n\n[dependencies]\n'
    (tmp_path / "Cargo.toml").write_text(head + "\n".join(lines) + "\n")
    (tmp_path / "Cargo.lock").write_text((RUST.path / "Cargo.lock").read_text())
    run(["cargo", "check", "--quiet"], directory=tmp_path)


@pytest.mark.part("buf generate")
@pytest.mark.scenario("Python: the messages are those that are committed")
def test_python(tmp_path: Path) -> None:
    need("buf")
    made = generate("python", tmp_path, {"python3": (sys.executable,)})
    names = sorted(path.relative_to(made) for path in made.rglob("*.pyi"))
    assert names
    for name in names:
        assert (made / name).read_text() == (ROOT / "protos" / name).read_text()
    for package in ("pointsman", "pointsman/v1"):
        (made / package / "__init__.py").touch()
    modules = [str(name.with_suffix("")).replace("/", ".") for name in names]
    run([sys.executable, "-c", f"import {', '.join(modules)}"], directory=made)


def generate(language: str, folder: Path, plugins: Mapping[str, Sequence[str | Path]]) -> Path:
    """Run `buf generate` with the template of one language; where it put its files."""
    programs = folder / "plugins"
    programs.mkdir()
    for name, command in plugins.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
        program.chmod(0o755)
    template = f"protos/buf.gen.{language}.yaml"
    command = ["buf", "generate", "--template", template, "--output", folder]
    run(command, directory=ROOT, programs=programs)
    return folder / "build" / "clients" / language


def _crates(*names: str) -> dict[str, tuple[Path]]:
    """Programs of crates.io, kept between runs."""

    def install(folder: Path) -> None:
        run(["cargo", "install", "--quiet", "--locked", "--root", folder, *names], directory=ROOT)

    where = cached("+".join(names), install)
    programs = (name.partition("@")[0] for name in names)
    return {name: (where / "bin" / name,) for name in programs}


def _toml(spec: Any) -> str:
    """A dependency as Cargo.toml writes it."""
    if isinstance(spec, str):
        return json.dumps(spec)
    fields = (f"{key.replace('_', '-')} = {json.dumps(value)}" for key, value in spec.items())
    return f"{{ {', '.join(fields)} }}"


def _artefact(name: str, folder: Path) -> Path:
    """A program of Maven Central."""
    downloads = folder / "artefacts"
    command = ["mvn", "--batch-mode", "--quiet", "dependency:copy"]
    what = f"-Dartifact={name}:exe:{SYSTEM}-{MACHINE}"
    run([*command, what, f"-DoutputDirectory={downloads}"], directory=JAVA.path)
    [program] = downloads.glob(f"{name.split(':')[1]}-[0-9]*.exe")
    program.chmod(0o755)
    return program
