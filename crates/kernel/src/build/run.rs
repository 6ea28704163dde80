//! One build, from a plan to a kernel's folder.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use mote_process::{Cancel, Command, ProcessError};

use super::error::hint;
use super::journal::Journal;
use super::meter::Meter;
use super::{BuildError, Progress, date, estimate};
use crate::artefact::{self, Kernel, KernelSpec};
use crate::config::{ConfigOutcome, Unfulfilled};
use crate::kbuild::Kbuild;
use crate::tools;

/// Where a build works and what it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDirs {
    /// The output directory of the kernel's makefiles; some hundred MB. After a build that was
    /// interrupted, or failed, the next build of the same [`KernelSpec`] goes on there; after one
    /// that succeeded, it is of no use.
    pub work: PathBuf,
    /// The kernel's folder; made, and filled.
    pub kernel: PathBuf,
    /// Gets all that the build prints.
    pub log: PathBuf,
}

/// What a build reports while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// An earlier build was interrupted, and has left compiled files, which are whole.
    Resumed {
        /// How many.
        files: u32,
    },
    /// The configuration is resolved.
    Configured {
        /// The optional symbols that were dropped, with the reasons.
        warnings: Vec<Unfulfilled>,
        /// How many symbols are modules, which are not built.
        modules: usize,
    },
    /// A file was compiled.
    Compiled(Progress),
}

/// What a build came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOutcome {
    /// The kernel, in its folder.
    pub kernel: Kernel,
    /// Optional symbols that Kconfig did not give.
    pub warnings: Vec<Unfulfilled>,
}

/// Configures, compiles and packs a kernel. The same [`KernelSpec`] gives the same bytes, wherever
/// the source and the directories lie, and however often the build was interrupted.
///
/// # Errors
///
/// A configuration that cannot be had, a compilation that fails, a disk that is full, the user's
/// wish to stop. What lies in the kernel's directory then is of no use.
pub fn build(
    spec: &KernelSpec<'_>,
    dirs: &BuildDirs,
    jobs: NonZeroUsize,
    cancel: &Cancel,
    on_event: &mut dyn FnMut(BuildEvent),
) -> Result<BuildOutcome, BuildError> {
    let kbuild = Kbuild::enter(spec.toolchain, &spec.source.dir, &dirs.work)?;
    let journal = Journal::resume(&kbuild.out)?;
    let resumed = journal.objects();
    if resumed > 0 {
        on_event(BuildEvent::Resumed { files: resumed });
    }
    let mut make = |journal| compile(spec, &kbuild, &dirs.log, journal, jobs, cancel, on_event);
    let warnings = match make(journal) {
        // The journal vouches for the files, not for what the makefiles conclude from them.
        Err(BuildError::Failed { errors, .. }) if resumed > 0 && hint(&errors).is_none() => {
            make(Journal::start(&kbuild.out)?)?
        }
        made => made?,
    };
    let kernel = artefact::write(spec, &kbuild.out, &dirs.kernel, cancel)?;
    Ok(BuildOutcome { kernel, warnings })
}

/// Configures and compiles; gives the optional symbols that were dropped.
fn compile(
    spec: &KernelSpec<'_>,
    kbuild: &Kbuild<'_>,
    log: &Path,
    mut journal: Journal,
    jobs: NonZeroUsize,
    cancel: &Cancel,
    on_event: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Unfulfilled>, BuildError> {
    let ConfigOutcome { config, warnings, .. } =
        spec.plan.resolve_in(kbuild, &spec.source.version, cancel)?;
    tools::require(&tools::tools_for(&config), &spec.toolchain.search, cancel)?;
    let modules = config.module_count();
    on_event(BuildEvent::Configured { warnings: warnings.clone(), modules });

    let total = estimate::files_to_compile(&kbuild.source, &config);
    let mut meter = Meter::new(journal.objects(), total);
    let made = compilation(kbuild, spec.epoch_s, jobs).stream(cancel, log, &mut |line| {
        if let Some(progress) = meter.read(line) {
            on_event(BuildEvent::Compiled(progress));
        }
        // A journal that cannot be kept costs time after an interruption, and nothing now.
        let _ = journal.keep_up();
    });
    made.map_err(|error| explain(error, spec, meter))?;
    Ok(warnings)
}

/// What the compiler need not do: it keeps where each token of each macro came from, to draw it in
/// diagnostics. Kernel headers are full of macros, so that costs a fifth of its memory and a
/// twentieth of its time. The code is the same.
const WITHOUT_MACRO_TRACKING: &str = "-ftrack-macro-expansion=0";

/// `make vmlinux bzImage`, with everything fixed that would otherwise tell of this machine
/// (Documentation/kbuild/reproducible-builds.rst).
fn compilation(kbuild: &Kbuild<'_>, epoch_s: u64, jobs: NonZeroUsize) -> Command {
    let assign = |start: &str| {
        let mut word = OsString::from(start);
        word.push(kbuild.prefix_maps());
        word
    };
    let mut make = kbuild.make();
    make.arg(format!("-j{jobs}"))
        .args(["KBUILD_BUILD_USER=mote", "KBUILD_BUILD_HOST=mote", "KBUILD_BUILD_VERSION=1"])
        .arg(format!("KBUILD_BUILD_TIMESTAMP={}", date::render(epoch_s)))
        // Set, though empty, it keeps setlocalversion from adding a "+" of its own.
        .arg("LOCALVERSION=")
        .arg(assign(&format!("KCFLAGS={WITHOUT_MACRO_TRACKING} ")))
        .arg(assign("KAFLAGS="))
        .args(["vmlinux", "bzImage"]);
    make
}

/// Of a failed build, the first error lines instead of the last lines: with several jobs, much is
/// printed after the error.
fn explain(error: ProcessError, spec: &KernelSpec<'_>, meter: Meter) -> BuildError {
    match error {
        ProcessError::Failed { command, tail, log: Some(log), .. } => {
            let mut errors = meter.into_errors();
            if errors.is_empty() {
                errors = tail.lines().map(str::to_owned).collect();
            }
            BuildError::Failed { version: spec.source.version.to_string(), errors, command, log }
        }
        other => BuildError::Process(other),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::testing::{Sandbox, names_in, plan};

    fn jobs() -> NonZeroUsize {
        NonZeroUsize::new(3).unwrap()
    }

    fn build_in(
        sandbox: &Sandbox,
        on_event: &mut dyn FnMut(BuildEvent),
    ) -> Result<BuildOutcome, BuildError> {
        let plan = plan(&["net"], "SWAP=y # optional\n");
        build(&sandbox.spec(&plan), &sandbox.dirs(), jobs(), &Cancel::default(), on_event)
    }

    fn error_of(make: &str) -> (String, Option<String>) {
        let sandbox = Sandbox::with_make(make);
        let error = build_in(&sandbox, &mut |_| {}).unwrap_err();
        assert!(!sandbox.dirs().kernel.exists());
        let text = error.to_string().replace(sandbox.path("").to_str().unwrap(), "BOX/");
        (text, error.hint())
    }

    #[test]
    fn a_kernel_comes_out_and_progress_is_told() {
        let sandbox = Sandbox::new();
        let mut events = Vec::new();
        let outcome = build_in(&sandbox, &mut |event| events.push(event)).unwrap();
        assert_eq!(outcome.kernel.record().features, ["base", "net"]);
        assert_eq!(outcome.kernel.record().release, "6.12.95");
        assert_eq!(
            names_in(&sandbox.dirs().kernel),
            ["System.map", "bzImage", "config", "kernel.json", "vmlinux"]
        );
        assert!(
            matches!(&events[0], BuildEvent::Configured { warnings, modules: 0 } if warnings.is_empty())
        );
        let done: Vec<_> = events[1..]
            .iter()
            .map(|event| match event {
                BuildEvent::Compiled(progress) => progress.done,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(done, [1, 2]);
    }

    #[test]
    fn make_is_told_all_that_must_not_vary() {
        let sandbox = Sandbox::new();
        let work = sandbox.dirs().work;
        let kbuild = Kbuild::enter(&sandbox.toolchain, &sandbox.source.dir, &work).unwrap();
        let command = compilation(&kbuild, 0, jobs()).render();
        let [source, work] = [kbuild.source.display(), kbuild.out.display()];
        let maps = kbuild.prefix_maps().into_string().unwrap();
        for word in [
            "env -i".to_owned(),
            "LC_ALL=C".to_owned(),
            format!("-C {source} O={work} ARCH=x86_64"),
            "-j3".to_owned(),
            "KBUILD_BUILD_USER=mote".to_owned(),
            "KBUILD_BUILD_HOST=mote".to_owned(),
            "KBUILD_BUILD_VERSION=1".to_owned(),
            "'KBUILD_BUILD_TIMESTAMP=1970-01-01 00:00:00 UTC'".to_owned(),
            format!("'KCFLAGS=-ftrack-macro-expansion=0 {maps}'"),
            format!("'KAFLAGS={maps}'"),
        ] {
            assert!(command.contains(&word), "{word} in {command}");
        }
    }

    #[test]
    fn a_failure_shows_the_first_errors_and_the_log() {
        let make = r#"
case $goal in
  allnoconfig) cp "$KCONFIG_ALLCONFIG" .config ;;
  bzImage)
    echo "init/main.c:7:3: error: expected ';'"
    echo 'make[1]: *** [Makefile:2: init/main.o] Error 1' >&2
    for i in $(seq 100); do echo "  CC      more/$i.o"; done
    exit 2 ;;
esac
"#;
        let (text, hint) = error_of(make);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "the build of Linux 6.12.95 failed");
        assert_eq!(lines[1], "  init/main.c:7:3: error: expected ';'");
        assert_eq!(lines[2], "  make[1]: *** [Makefile:2: init/main.o] Error 1");
        assert!(lines[3].starts_with("  command: env -i"), "{text}");
        assert_eq!(lines[4], "  the whole log: BOX/log");
        assert_eq!(hint, None);
    }

    #[test]
    fn a_compressor_that_is_missing_is_told_before_the_build() {
        let mut sandbox = Sandbox::new();
        sandbox.toolchain.search = "/nowhere".into();
        let plan = plan(&["net"], "KERNEL_LZO=y\n");
        let spec = sandbox.spec(&plan);
        let built = build(&spec, &sandbox.dirs(), jobs(), &Cancel::default(), &mut |_| {});
        let error = built.unwrap_err();
        assert_eq!(error.to_string(), "to build a kernel, this machine lacks lzop");
        assert_eq!(error.hint().unwrap(), "on Debian: apt install lzop");
        assert!(!sandbox.dirs().log.exists());
    }

    #[test]
    fn known_troubles_have_a_hint() {
        for (said, hint) in [
            (
                "cc1: fatal error: x.o: No space left on device",
                "free some space on that file system",
            ),
            (
                "gcc: fatal error: Killed signal terminated program cc1",
                "there was too little memory: build with fewer jobs",
            ),
        ] {
            let make = format!(
                "case $goal in allnoconfig) cp \"$KCONFIG_ALLCONFIG\" .config ;; *) echo '{said}'; exit 2 ;; esac\n"
            );
            assert_eq!(error_of(&make).1.as_deref(), Some(hint));
        }
    }

    #[test]
    fn a_build_that_leaves_nothing_bootable_is_an_error() {
        let make = r#"
case $goal in
  allnoconfig) cp "$KCONFIG_ALLCONFIG" .config ;;
  bzImage)
    mkdir -p arch/x86/boot include/config
    echo none > vmlinux; echo image > arch/x86/boot/bzImage; echo map > System.map
    echo 6.12.95 > include/config/kernel.release ;;
esac
"#;
        let sandbox = Sandbox::with_make(make);
        let error = build_in(&sandbox, &mut |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("not an x86-64 kernel, "), "{error}");
        assert!(Kernel::load(&sandbox.dirs().kernel).is_err());
    }

    #[test]
    fn the_user_can_stop_it() {
        let sandbox = Sandbox::with_make(
            "case $goal in allnoconfig) cp \"$KCONFIG_ALLCONFIG\" .config ;; *) echo '  CC      a.o'; sleep 60 ;; esac\n",
        );
        let plan = plan(&["net"], "");
        let cancel = Cancel::default();
        let began = Instant::now();
        let error = build(&sandbox.spec(&plan), &sandbox.dirs(), jobs(), &cancel, &mut |event| {
            if let BuildEvent::Compiled(_) = event {
                let cancel = cancel.clone();
                thread::spawn(move || cancel.cancel(2));
            }
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "stopped by SIGINT");
        assert!(began.elapsed() < Duration::from_secs(30));
        assert!(!sandbox.dirs().kernel.exists());
        assert!(fs::read_to_string(sandbox.dirs().log).unwrap().contains("CC      a.o"));
    }

    /// Compiles each of five files unless it is there, as make does, with a second between them;
    /// fails at a file that is `bad`, unless it has made all in one go.
    const SLOW: &str = r#"
case $goal in
  allnoconfig) cmp -s "$KCONFIG_ALLCONFIG" .config || cp "$KCONFIG_ALLCONFIG" .config ;;
  bzImage)
    for i in 1 2 3 4 5; do
      [ -e $i.o ] && { grep -q bad $i.o && { echo "$i.o: error: bad"; exit 2; }; continue; }
      echo "  CC      $i.o"
      echo $i > $i.o
      echo $i >> compiled
      sleep 1
    done
    mkdir -p arch/x86/boot include/config
    cp "${0%/*}/elf" vmlinux
    echo image > arch/x86/boot/bzImage
    echo map > System.map
    echo 6.12.95 > include/config/kernel.release ;;
esac
"#;

    /// Builds until the fifth file is being compiled.
    fn interrupted() -> Sandbox {
        let sandbox = Sandbox::with_make(SLOW);
        let plan = plan(&["net"], "");
        let cancel = Cancel::default();
        let mut compiled = 0;
        build(&sandbox.spec(&plan), &sandbox.dirs(), jobs(), &cancel, &mut |event| {
            if let BuildEvent::Compiled(_) = event {
                compiled += 1;
                if compiled == 5 {
                    cancel.cancel(9);
                }
            }
        })
        .unwrap_err();
        sandbox
    }

    /// What the next build says and compiles.
    fn go_on(sandbox: &Sandbox) -> (Option<u32>, String) {
        let compiled = sandbox.dirs().work.join("compiled");
        let _ = fs::remove_file(&compiled);
        let mut resumed = None;
        let plan = plan(&["net"], "");
        build(&sandbox.spec(&plan), &sandbox.dirs(), jobs(), &Cancel::default(), &mut |event| {
            if let BuildEvent::Resumed { files } = event {
                resumed = Some(files);
            }
        })
        .unwrap();
        (resumed, fs::read_to_string(compiled).unwrap().replace('\n', ""))
    }

    #[test]
    fn an_interrupted_build_goes_on_with_the_files_that_are_whole() {
        let sandbox = interrupted();
        let (resumed, compiled) = go_on(&sandbox);
        let resumed = resumed.unwrap() as usize;
        assert!((1..5).contains(&resumed), "{resumed}");
        assert_eq!(compiled, "12345"[resumed..]);
    }

    #[test]
    fn a_file_that_was_damaged_meanwhile_is_compiled_again() {
        let sandbox = interrupted();
        fs::write(sandbox.dirs().work.join("1.o"), "other").unwrap();
        assert!(go_on(&sandbox).1.starts_with('1'));
    }

    #[test]
    fn what_cannot_be_built_upon_is_built_anew() {
        let sandbox = interrupted();
        // Whole, as far as the journal knows.
        let mut journal = Journal::resume(&sandbox.dirs().work).unwrap();
        fs::write(sandbox.dirs().work.join("1.o"), "bad").unwrap();
        journal.note_settled(Duration::ZERO).unwrap();
        drop(journal);
        assert_eq!(go_on(&sandbox).1, "12345");
    }
}
