//! The programs that run in a guest. They are built from `crates/init` by this crate's build script, so that mote is
//! one file.

/// PID 1: a static executable for x86-64, started by the kernel as [`mote_contract::INIT_PATH`].
pub const INIT: &[u8] = include_bytes!(env!("MOTE_GUEST_INIT"));

/// `sys`, the tool with which the probes of kernel features make single system calls; static as well.
pub const SYS: &[u8] = include_bytes!(env!("MOTE_GUEST_SYS"));

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the ELF header: 64 bits, little endian, `ET_EXEC`, `EM_X86_64`.
    fn assert_executable(program: &[u8]) {
        assert_eq!(&program[..6], b"\x7fELF\x02\x01");
        assert_eq!(&program[16..20], &[2, 0, 62, 0]);
    }

    /// Types of the program headers.
    fn segments(program: &[u8]) -> Vec<u32> {
        let start = u64::from_le_bytes(program[32..40].try_into().unwrap()) as usize;
        let count = usize::from(u16::from_le_bytes(program[56..58].try_into().unwrap()));
        let headers = program[start..].chunks_exact(56).take(count);
        headers.map(|header| u32::from_le_bytes(header[..4].try_into().unwrap())).collect()
    }

    #[test]
    fn the_programs_need_no_dynamic_linker_and_are_small() {
        const PT_DYNAMIC: u32 = 2;
        const PT_INTERP: u32 = 3;
        for (program, limit) in [(INIT, 128 * 1024), (SYS, 32 * 1024)] {
            assert_executable(program);
            let segments = segments(program);
            assert!(!segments.contains(&PT_INTERP) && !segments.contains(&PT_DYNAMIC));
            assert!(program.len() <= limit, "{} bytes", program.len());
        }
    }

    #[test]
    fn no_path_of_the_build_machine_is_inside() {
        let workspace =
            env!("CARGO_MANIFEST_DIR").strip_suffix("/crates/engine").unwrap().as_bytes();
        for program in [INIT, SYS] {
            assert!(!program.windows(workspace.len()).any(|bytes| bytes == workspace));
        }
    }
}
