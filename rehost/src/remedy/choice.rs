//! Which function of a chain is left out.
//!
//! Below the kernel's own frame of a boot (`start_kernel`, the runner of the
//! initial calls, threads) lies code of the machine. An initial call that fails
//! is left out whole. Elsewhere the innermost function that is not a tool of
//! many others is, so that as much as possible of the rest still runs; when its
//! caller cannot go on without it, the caller is the next to go. One that never
//! comes back cannot be left out by itself.

use linker::symbols::SymbolTable;

use super::Omitted;
use super::chain::Frame;

/// A function with more callers than this is a tool of the whole kernel.
const MOST_CALLERS: usize = 8;

/// The kernel's own frame: code that every kernel has and none can do without.
const FRAME: [&str; 43] = [
    "start_kernel",
    "setup_arch",
    "paging_init",
    "mm_init",
    "init_IRQ",
    "time_init",
    "console_init",
    "rest_init",
    "cpu_idle",
    "cpu_startup_entry",
    "do_idle",
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
    "irq_enter",
    "irq_exit",
    "generic_handle_irq",
    "handle_level_irq",
    "handle_edge_irq",
    "handle_IRQ_event",
    "handle_irq_event",
    "handle_irq_event_percpu",
    "__do_softirq",
    "do_softirq",
    "timer_tick",
];
/// What prints a message. Whoever has something to say needs it.
const PRINT: [&str; 6] = [
    "printk",
    "_printk",
    "vprintk",
    "vprintk_emit",
    "console_unlock",
    "release_console_sem",
];
/// What calls a piece of work that was put off.
const WORKERS: [&str; 2] = ["process_one_work", "run_workqueue"];
/// When so many functions were left out below one piece of work, the rest of it goes
/// too.
const ENOUGH: usize = 2;
/// What runs the initial calls.
const RUNNERS: [&str; 2] = ["do_one_initcall", "do_initcalls"];
/// The end of a boot, which nothing here can help.
const ROOT: [&str; 5] = [
    "prepare_namespace",
    "mount_root",
    "run_init_process",
    "init_post",
    "do_exit",
];

/// Code that sets up the kernel's account of RAM. All of it has to be there; what
/// it stops on is more RAM than the machine's account has room for.
const MEMORY: [&str; 7] = [
    "memmap_init_zone",
    "free_area_init_node",
    "free_area_init_core",
    "bootmem_init",
    "bootmem_init_node",
    "mark_bootmem",
    "mem_init",
];

/// Code that sets up what hands out memory, which nothing can do without either. It
/// stops where a part of the RAM lies beyond what this kernel takes for linear.
const ALLOCATORS: [&str; 3] = ["build_all_zonelists", "kmem_cache_init", "vmalloc_init"];

/// Whether the chain has such code in it.
pub fn is_in_memory_setup(frames: &[Frame], symbols: &SymbolTable) -> bool {
    frames.iter().any(|frame| is(frame, &MEMORY, symbols))
}

/// The same for the allocators.
pub fn is_in_allocator_setup(frames: &[Frame], symbols: &SymbolTable) -> bool {
    frames.iter().any(|frame| is(frame, &ALLOCATORS, symbols))
}

/// Whether one of these functions, bit 0 clear, is in the chain.
pub fn has_one_of(frames: &[Frame], functions: &[u32]) -> bool {
    let mut starts = frames.iter().map(|frame| frame.start & !1);
    starts.any(|start| functions.contains(&start))
}

/// The function that has called what prints messages, if the chain goes through
/// that.
pub fn who_prints(frames: &[Frame], symbols: &SymbolTable) -> Option<Choice> {
    let prints = |frame: &Frame| is(frame, &PRINT, symbols);
    let inner = frames.iter().position(prints)?;
    let caller = frames[inner..].iter().find(|frame| !prints(frame))?;
    Some(Choice {
        va: caller.start,
        initcall: false,
        root: None,
    })
}

/// Whether a function has one of these names.
fn is(frame: &Frame, names: &[&str], symbols: &SymbolTable) -> bool {
    let here = |name: &&str| {
        let mut all = symbols.all(name);
        all.any(|symbol| symbol.address & !1 == frame.start & !1)
    };
    names.iter().any(here)
}

/// What is to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The function's first instruction.
    pub va: u32,
    /// Whether it is an initial call.
    pub initcall: bool,
    /// The outermost function of the chain that is the machine's own.
    pub root: Option<u32>,
}

/// Chooses, or finds that nothing can be left out.
///
/// `running` is the initial call under way, as its runner was given it: a call may
/// end in a jump to another function, and is then not in the chain.
pub fn choose(
    frames: &[Frame],
    running: Option<u32>,
    symbols: &SymbolTable,
    omitted: &[Omitted],
) -> Option<Choice> {
    let is = |frame: &Frame, names: &[&str]| is(frame, names, symbols);
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
    let known = |va: u32| omitted.iter().any(|one| one.va == va);
    let free = |frame: &&Frame| frame.returns && !known(frame.start) && !is(frame, &PRINT);
    let root = own.last().map(|frame| frame.start);
    if base.is_some_and(|frame| is(frame, &RUNNERS))
        && let Some(call) = running.or(root)
        && !known(call)
    {
        return Some(Choice {
            va: call,
            initcall: true,
            root: None,
        });
    }
    let below = omitted
        .iter()
        .filter(|one| root.is_some() && one.root == root);
    let all = base.is_some_and(|frame| is(frame, &WORKERS)) && below.count() >= ENOUGH;
    let small = |frame: &&Frame| frame.callers <= MOST_CALLERS;
    let whole = own.last().filter(|frame| all && free(frame));
    whole
        .or_else(|| own.iter().find(|frame| free(frame) && small(frame)))
        .or_else(|| own.iter().rfind(free))
        .map(|frame| Choice {
            va: frame.start,
            initcall: false,
            root,
        })
}

#[cfg(test)]
mod tests {
    use linker::symbols::{Source, Symbol};

    use super::*;

    /// Functions by name, at 0x100 times their number from 1 on.
    const NAMES: [&str; 13] = [
        "start_kernel",
        "setup_arch",
        "board_map_io",
        "chip_init",
        "strcmp",
        "panic",
        "do_one_initcall",
        "memmap_init_zone",
        "prepare_namespace",
        "printk",
        "kmem_cache_init",
        "vprintk",
        "process_one_work",
    ];

    fn omitted(names: &[(&str, Option<&str>)]) -> Vec<Omitted> {
        let address = |name: &str| symbols().address(name).expect("a known name");
        let one = |(name, root): &(&str, Option<&str>)| Omitted {
            va: address(name),
            name: (*name).to_owned(),
            initcall: false,
            why: "a fault in it".to_owned(),
            root: root.map(address),
        };
        names.iter().map(one).collect()
    }

    fn symbols() -> SymbolTable {
        let symbol = |(name, address): (&&str, u32)| Symbol {
            name: (*name).to_owned(),
            address,
            kind: 't',
            source: Source::Kallsyms,
        };
        let addresses = (1..).map(|index| index * 0x100);
        SymbolTable::new(NAMES.iter().zip(addresses).map(symbol).collect())
    }

    fn frames(names: &[&str]) -> Vec<Frame> {
        let frame = |name: &&str| Frame {
            start: symbols().address(name).expect("a known name"),
            callers: if *name == "strcmp" { 300 } else { 1 },
            returns: true,
        };
        names.iter().map(frame).collect()
    }

    fn name(choice: Option<Choice>) -> Option<(&'static str, bool)> {
        let choice = choice?;
        let index = (choice.va / 0x100) as usize - 1;
        Some((NAMES[index], choice.initcall))
    }

    #[test]
    fn the_innermost_function_of_the_machine_is_left_out() {
        let chain = frames(&["panic", "strcmp", "chip_init", "board_map_io", "setup_arch"]);
        let chosen = choose(&chain, None, &symbols(), &[]);
        assert_eq!(name(chosen), Some(("chip_init", false)));
        // And when that is left out already, the one that cannot do without.
        let chosen = choose(&chain, None, &symbols(), &omitted(&[("chip_init", None)]));
        assert_eq!(name(chosen), Some(("board_map_io", false)));
    }

    #[test]
    fn a_piece_of_work_that_fails_again_and_again_is_left_out_whole() {
        let chain = frames(&[
            "chip_init",
            "setup_arch",
            "board_map_io",
            "process_one_work",
        ]);
        // The frame of a boot ends what is the machine's own.
        let chain = [&chain[..1], &chain[2..]].concat();
        let before = |count: usize| {
            let all = [
                ("memmap_init_zone", Some("board_map_io")),
                ("kmem_cache_init", Some("board_map_io")),
            ];
            name(choose(&chain, None, &symbols(), &omitted(&all[..count])))
        };
        assert_eq!(before(1), Some(("chip_init", false)));
        assert_eq!(before(2), Some(("board_map_io", false)));
        // Elsewhere it may be what sets up the machine.
        let chain = frames(&["chip_init", "board_map_io", "setup_arch"]);
        let all = [
            ("memmap_init_zone", Some("board_map_io")),
            ("kmem_cache_init", Some("board_map_io")),
        ];
        let chosen = choose(&chain, None, &symbols(), &omitted(&all));
        assert_eq!(name(chosen), Some(("chip_init", false)));
    }

    #[test]
    fn what_prints_is_never_left_out() {
        let chain = frames(&["vprintk", "chip_init", "setup_arch"]);
        let chosen = choose(&chain, None, &symbols(), &[]);
        assert_eq!(name(chosen), Some(("chip_init", false)));
        assert_eq!(
            name(who_prints(&chain, &symbols())),
            Some(("chip_init", false))
        );
    }

    #[test]
    fn what_never_comes_back_takes_its_caller_with_it() {
        let mut chain = frames(&["chip_init", "board_map_io", "setup_arch"]);
        chain[0].returns = false;
        let chosen = choose(&chain, None, &symbols(), &[]);
        assert_eq!(name(chosen), Some(("board_map_io", false)));
    }

    #[test]
    fn an_initial_call_is_left_out_whole() {
        let chain = frames(&["strcmp", "chip_init", "board_map_io", "do_one_initcall"]);
        let chosen = choose(&chain, None, &symbols(), &[]);
        assert_eq!(name(chosen), Some(("board_map_io", true)));
        // It ended in a jump to what the stack shows.
        let chosen = choose(&chain, Some(0x400), &symbols(), &[]);
        assert_eq!(name(chosen), Some(("chip_init", true)));
    }

    #[test]
    fn functions_of_a_chain_are_told_by_address() {
        let thumb = Frame {
            start: 0x401,
            callers: 1,
            returns: true,
        };
        assert!(has_one_of(&[thumb], &[0x300, 0x400]));
        assert!(!has_one_of(&[thumb], &[0x300]));
        assert!(!has_one_of(&[], &[0x300]));
    }

    #[test]
    fn who_prints_is_the_caller_of_printk() {
        let chain = frames(&["strcmp", "printk", "chip_init", "setup_arch"]);
        let found = who_prints(&chain, &symbols());
        assert_eq!(name(found), Some(("chip_init", false)));
        assert_eq!(who_prints(&frames(&["strcmp", "printk"]), &symbols()), None);
        assert_eq!(who_prints(&frames(&["strcmp"]), &symbols()), None);
    }

    #[test]
    fn the_kernels_own_frame_stays() {
        for chain in [
            &["panic", "start_kernel"][..],
            &["chip_init", "prepare_namespace"],
            &[],
        ] {
            assert_eq!(choose(&frames(chain), None, &symbols(), &[]), None);
        }
        assert!(is_in_memory_setup(
            &frames(&["strcmp", "memmap_init_zone"]),
            &symbols()
        ));
        assert!(!is_in_memory_setup(
            &frames(&["strcmp", "setup_arch"]),
            &symbols()
        ));
        let allocates = |chain: &[&str]| is_in_allocator_setup(&frames(chain), &symbols());
        assert!(allocates(&["strcmp", "kmem_cache_init", "start_kernel"]));
        assert!(!allocates(&["strcmp", "memmap_init_zone"]));
    }
}
