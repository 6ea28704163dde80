//! How the binaries are linked: without libc and its start files, at fixed addresses, as `guest.ld` says.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=guest.ld");
    let script = concat!("-Wl,-T,", env!("CARGO_MANIFEST_DIR"), "/guest.ld");
    let arguments = [
        "-nostdlib",
        "-nostartfiles",
        "-no-pie",
        "-Wl,--no-dynamic-linker",
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
        "-Wl,-z,norelro",
        "-Wl,-z,max-page-size=4096",
        script,
    ];
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
