//! Generates the client from the contract; protox reads it, so no protoc has to be installed.

const PROTOS: &str = "../../../protos";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={PROTOS}");
    let contract = protox::compile(["pointsman/v1/routing_service.proto"], [PROTOS])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(contract)?;
    Ok(())
}
