//! Which function of a chain is left out.
//!
//! Below the kernel's own frame of a boot (`start_kernel`, the runner of the
//! initial calls, threads) lies code of the machine. An initial call that fails
//! is left out whole. Elsewhere the innermost function that is not a tool of
//! many others is, so that as much as possible of the rest still runs; when its
//! caller cannot go on without it, the caller is the next to go.

use linker::symbols::SymbolTable;

use super::chain::Frame;

/// A function with more callers than this is a tool of the whole kernel.
const MOST_CALLERS: usize = 8;

/// The kernel's own frame: code that every kernel has and none can do without.
const FRAME: [&str; 29] = [
    "start_kernel",
    "setup_arch",
    "paging_init",
    "mm_init",
    "init_IRQ",
    "time_init",
    "console_init",
    "rest_init",
    "arch_call_rest_init",
    "kernel_init",
    "kernel_init_freeable",
    "do_basic_setup",
    "do_initcall_level",
    "do_pre_smp_initcalls",
    "init",
    "customize_machine",
    "init_machine_late",
    "kthread",
    "worker_thread",
    "process_one_work",
    "run_workqueue",
    "ret_from_fork",
    "panic",
    "die",
    "__bug",
    "do_page_fault",
    "asm_do_IRQ",
    "handle_IRQ",
    "__handle_domain_irq",
];
/// What runs the initial calls.
const RUNNERS: [&str; 2] = ["do_one_initcall", "do_initcalls"];
/// The end of a boot, which nothing here can help.
const ROOT: [&str; 3] = ["prepare_namespace", "mount_root", "run_init_process"];

/// What is to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The function's first instruction.
    pub va: u32,
    /// Whether it is an initial call.
    pub initcall: bool,
}

/// Chooses, or finds that nothing can be left out.
///
/// `running` is the initial call under way, as its runner was given it: a call may
/// end in a jump to another function, and is then not in the chain.
pub fn choose(
    frames: &[Frame],
    running: Option<u32>,
    symbols: &SymbolTable,
    omitted: &[u32],
) -> Option<Choice> {
    let is = |frame: &Frame, names: &[&str]| {
        let here = |name: &&str| {
            let mut all = symbols.all(name);
            all.any(|symbol| symbol.address & !1 == frame.start & !1)
        };
        names.iter().any(here)
    };
    // `panic` and `die` are where it ended, not who led there.
    let inner = frames
        .iter()
        .position(|frame| !is(frame, &["panic", "die", "__bug"]))?;
    let frames = &frames[inner..];
    let outer = frames
        .iter()
        .position(|frame| is(frame, &FRAME) || is(frame, &RUNNERS) || is(frame, &ROOT));
    let own = &frames[..outer.unwrap_or(frames.len())];
    let base = outer.and_then(|index| frames.get(index));
    if base.is_some_and(|frame| is(frame, &ROOT)) {
        return None;
    }
    let free = |frame: &&Frame| !omitted.contains(&frame.start);
    if base.is_some_and(|frame| is(frame, &RUNNERS))
        && let Some(call) = running.or(own.last().map(|frame| frame.start))
        && !omitted.contains(&call)
    {
        return Some(Choice {
            va: call,
            initcall: true,
        });
    }
    let small = |frame: &&Frame| frame.callers <= MOST_CALLERS;
    own.iter()
        .find(|frame| free(frame) && small(frame))
        .or_else(|| own.iter().rfind(free))
        .map(|frame| Choice {
            va: frame.start,
            initcall: false,
        })
}
