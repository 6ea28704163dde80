//! How the binaries are linked: without libc and its start files, at fixed addresses, as one small file.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in [
        "-nostdlib",
        "-nostartfiles",
        "-no-pie",
        "-Wl,--no-dynamic-linker",
        // Fewer pages, each of which is padding in the file: headers, code and constants in one segment.
        "-Wl,-z,noseparate-code",
        "-Wl,-z,norelro",
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
