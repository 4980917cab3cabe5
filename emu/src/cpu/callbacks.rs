//! The callbacks that Unicorn makes, and what the machine answers.

use std::cell::Cell;
use std::ffi::c_void;

use unicorn_engine::{MemType, Prot, TlbEntry, TranslationBlock, uc_emu_stop, uc_engine};

use super::count::Count;
use super::exit_checks::ExitChecks;
use super::live::{Live, psr};
use crate::machine::stops::WINDOW;
use crate::mmu::Access;

/// A page for the translation buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where it is; above 4 GiB for memory that the guest has no address for.
    pub(crate) physical: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
    /// The page of memory that it is, for pages that may be executed.
    pub(crate) page: u32,
    /// The status register as it was.
    pub(crate) cpsr: u32,
}

/// What becomes of a block that was about to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It runs.
    Run,
    /// It does not: the program counter was written.
    Redirected,
    /// It does not: the run ends before it.
    Stop,
}

/// What the machine does when Unicorn asks. None of these may panic: the
/// callers have C linkage, where a panic ends the process.
pub(crate) trait Hooks: Sized {
    /// The page behind a virtual address (page aligned), or none to abort.
    fn fill(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        address: u32,
        access: Access,
    ) -> Option<Page>;
    /// A block starts and the deadline is reached.
    fn boundary(&mut self, cpu: &Live<'_>, count: &mut Count, address: u32) -> Flow;
    /// An exception other than an undefined instruction, by Unicorn's number.
    fn exception(&mut self, cpu: &Live<'_>, count: &mut Count, number: u32);
    /// An undefined instruction or a hint.
    fn undefined(&mut self, cpu: &Live<'_>, count: &mut Count);
    /// An access outside of memory. `pc` is where it is made from if that is
    /// known: only for addresses without a chip.
    fn read(&mut self, count: &mut Count, address: u32, size: u32, pc: Option<u32>) -> u32;
    /// See [`Hooks::read`].
    fn write(&mut self, count: &mut Count, address: u32, size: u32, value: u32, pc: Option<u32>);
    /// The instruction at a watched address is about to run.
    fn reached(&mut self, cpu: &Live<'_>, count: &mut Count, address: u32, thumb: bool) -> Flow;
    /// Any instruction is about to run; only while steps are asked for.
    fn stepped(&mut self, count: &mut Count, address: u32, thumb: bool) -> Flow;
    /// An access to the window is about to be made; false to stop before it. `new`
    /// is what is to be written.
    fn accessed(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        offset: u32,
        size: u32,
        new: Option<u64>,
    ) -> bool;
    /// A read from the window.
    fn window_read(&mut self, count: &mut Count, offset: u32, size: u32) -> u64;
    /// A write to the window.
    fn window_write(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        offset: u32,
        size: u32,
        value: u64,
    );
    /// An instruction of the counted range is about to run.
    fn counted(&mut self);
}

/// What the callbacks share. They run one inside the other in one case only
/// (see [`Live::forget_code`]), which touches `alias` alone; so each part is
/// borrowed by one callback at a time, and never the whole.
pub(super) struct Shared<H> {
    pub(super) count: Count,
    pub(super) alias: Cell<Option<u64>>,
    /// Where the access that is being made comes from.
    pc: Cell<Option<u32>>,
    pub(super) stop_asked: Cell<bool>,
    pub(super) exit_checks: ExitChecks,
    pub(super) host: H,
}

impl<H> Shared<H> {
    pub(super) fn new(count: Count, host: H) -> Self {
        Self {
            count,
            alias: Cell::new(None),
            pc: Cell::new(None),
            stop_asked: Cell::new(false),
            exit_checks: ExitChecks::new(),
            host,
        }
    }
}

/// A region of addresses outside of memory, for its callbacks.
pub(super) struct Region<H> {
    pub(super) shared: *mut Shared<H>,
    pub(super) base: u32,
}

/// The callbacks' view of [`Shared`]: its parts, each borrowed by itself.
///
/// # Safety
/// `data` is the pointer that a hook was added with, and no other callback
/// holds a reference to the same part.
macro_rules! part {
    ($data:expr, $field:ident) => {
        &mut (*$data.cast::<Shared<H>>()).$field
    };
}

/// # Safety
/// Called by Unicorn alone, with the engine and the data of the hook. So are
/// the others below.
unsafe fn live<'a, H>(uc: *mut uc_engine, data: *mut c_void) -> Live<'a> {
    // SAFETY: `data` is our `Shared`, whose `alias` is only ever borrowed shared.
    unsafe { Live::new(uc, &(*data.cast::<Shared<H>>()).alias) }
}

/// What every callback borrows shared.
///
/// # Safety
/// `data` is our `Shared`.
unsafe fn cells<'a, H: 'a>(data: *mut c_void) -> (&'a Cell<Option<u64>>, &'a ExitChecks) {
    let shared = data.cast::<Shared<H>>();
    // SAFETY: these are cells, of which nobody has a unique reference.
    unsafe { (&(*shared).alias, &(*shared).exit_checks) }
}

/// The hot path: once per block. It calls nothing but as its last act, so that
/// no register needs to be saved.
pub(super) unsafe extern "C" fn on_block<H: Hooks>(
    uc: *mut uc_engine,
    address: u64,
    size: u32,
    data: *mut c_void,
) {
    // SAFETY: `data` is our `Shared`, and no callback is under way.
    let count = unsafe { part!(data, count) };
    let address = address as u32;
    if count.retired < count.deadline && count.is_plain(address) {
        count.started(address, size / 4);
    } else {
        // SAFETY: as above.
        unsafe { on_other_block::<H>(uc, address, size, data) }
    }
}

/// A block of a page that has marks, or one at the deadline.
///
/// # Safety
/// As for [`on_block`].
#[inline(never)]
unsafe extern "C" fn on_other_block<H: Hooks>(
    uc: *mut uc_engine,
    address: u32,
    size: u32,
    data: *mut c_void,
) {
    // SAFETY: `data` is our `Shared`, and no callback is under way.
    let (host, count, cpu) =
        unsafe { (part!(data, host), part!(data, count), live::<H>(uc, data)) };
    // SAFETY: as above.
    let (alias, exit_checks) = unsafe { cells::<H>(data) };
    if alias.get().is_some() || exit_checks.is_asked() {
        // SAFETY: as above.
        unsafe { stop::<H>(uc, data) }
        return;
    }
    let thumb = || cpu.cpsr() & psr::THUMB != 0;
    if count.retired >= count.deadline {
        if count.continues(address, size, thumb) {
            count.noticed(address);
            return;
        }
        if thumb() || !count.is_rest(address) {
            count.block_instructions = 0;
            match host.boundary(&cpu, count, address) {
                Flow::Run => {}
                Flow::Redirected => return,
                Flow::Stop => {
                    // SAFETY: as above.
                    unsafe { stop::<H>(uc, data) }
                    return;
                }
            }
        }
    }
    count.noticed(address);
    if exit_checks.wanted.get() {
        count.starts_with(cpu.cpsr());
    }
    let instructions = count.instructions(address, size, thumb);
    count.started(address, instructions);
}

pub(super) unsafe extern "C" fn on_translated<H: Hooks>(
    uc: *mut uc_engine,
    block: *mut TranslationBlock,
    _previous: *mut TranslationBlock,
    data: *mut c_void,
) {
    // SAFETY: Unicorn passes a block of its own; `data` is our `Shared`, and the hook
    // is called between blocks.
    let (block, count, cpu) = unsafe { (&*block, part!(data, count), live::<H>(uc, data)) };
    // SAFETY: as above.
    let (alias, exit_checks) = unsafe { cells::<H>(data) };
    if alias.get().is_some() {
        return;
    }
    let cpsr = cpu.cpsr();
    let thumb = cpsr & psr::THUMB != 0;
    let (address, bytes) = (block.pc as u32, u32::from(block.size));
    let in_if_then = thumb.then(|| count.ends_in_if_then(address, bytes, cpsr));
    if exit_checks.translated(in_if_then, count.retired) {
        count.deadline = 0;
    }
    count.translated(address, bytes, u32::from(block.icount), thumb);
}

pub(super) unsafe extern "C" fn on_fill<H: Hooks>(
    uc: *mut uc_engine,
    address: u64,
    kind: MemType,
    entry: *mut TlbEntry,
    data: *mut c_void,
) -> bool {
    // SAFETY: `data` is our `Shared`; a cell, which may be read while another callback
    // holds the other parts.
    let alias = unsafe { &(*data.cast::<Shared<H>>()).alias };
    if let Some(physical) = alias.get() {
        // SAFETY: Unicorn passes a place for the entry.
        unsafe {
            entry.write(TlbEntry {
                paddr: physical,
                perms: Prot::READ | Prot::EXEC,
            });
        }
        return true;
    }
    let access = match kind {
        MemType::WRITE => Access::Write,
        MemType::FETCH => Access::Fetch,
        _ => Access::Read,
    };
    let address = address as u32;
    // SAFETY: no other callback is under way but the case above.
    let (host, count, cpu) =
        unsafe { (part!(data, host), part!(data, count), live::<H>(uc, data)) };
    let Some(page) = host.fill(&cpu, count, address, access) else {
        return false;
    };
    if access == Access::Fetch {
        count.fetched_from(address, page.page);
    } else {
        leave_no_condition(&cpu, page.cpsr);
    }
    let mut perms = Prot::NONE;
    if page.read {
        perms |= Prot::READ;
    }
    if page.write {
        perms |= Prot::WRITE;
    }
    if page.execute {
        perms |= Prot::EXEC;
    }
    // SAFETY: Unicorn passes a place for the entry.
    unsafe {
        entry.write(TlbEntry {
            paddr: page.physical,
            perms,
        });
    }
    true
}

/// In the middle of a block the If-Then bits are 0 in the state: see the head
/// of [`crate::cpu`].
fn leave_no_condition(cpu: &Live<'_>, cpsr: u32) {
    if cpsr & psr::IF_THEN != 0 {
        cpu.set_cpsr(cpsr & !psr::IF_THEN);
    }
}

pub(super) unsafe extern "C" fn on_forbidden<H: Hooks>(
    uc: *mut uc_engine,
    _kind: MemType,
    _address: u64,
    _size: i32,
    _value: i64,
    data: *mut c_void,
) -> bool {
    // SAFETY: `data` is our `Shared`; `pc` is a cell.
    let (cpu, pc) = unsafe { (live::<H>(uc, data), &(*data.cast::<Shared<H>>()).pc) };
    pc.set(Some(cpu.pc()));
    leave_no_condition(&cpu, cpu.cpsr());
    true
}

pub(super) unsafe extern "C" fn on_read<H: Hooks>(
    _uc: *mut uc_engine,
    offset: u64,
    size: u32,
    data: *mut c_void,
) -> u64 {
    // SAFETY: `data` is the region's, which points at our `Shared`; no other callback is
    // under way.
    unsafe {
        let region = &*data.cast::<Region<H>>();
        let pc = (*region.shared).pc.take();
        let address = region.base.wrapping_add(offset as u32);
        let count = part!(region.shared, count);
        u64::from(part!(region.shared, host).read(count, address, size, pc))
    }
}

pub(super) unsafe extern "C" fn on_write<H: Hooks>(
    _uc: *mut uc_engine,
    offset: u64,
    size: u32,
    value: u64,
    data: *mut c_void,
) {
    // SAFETY: as in `on_read`.
    unsafe {
        let region = &*data.cast::<Region<H>>();
        let pc = (*region.shared).pc.take();
        let address = region.base.wrapping_add(offset as u32);
        let count = part!(region.shared, count);
        part!(region.shared, host).write(count, address, size, value as u32, pc);
    }
}

pub(super) unsafe extern "C" fn on_exception<H: Hooks>(
    uc: *mut uc_engine,
    number: u32,
    data: *mut c_void,
) {
    // SAFETY: `data` is our `Shared`; no other callback is under way.
    unsafe {
        let (count, cpu) = (part!(data, count), live::<H>(uc, data));
        part!(data, host).exception(&cpu, count, number);
    }
}

pub(super) unsafe extern "C" fn on_undefined<H: Hooks>(
    uc: *mut uc_engine,
    data: *mut c_void,
) -> bool {
    // SAFETY: as in `on_exception`.
    unsafe {
        let (count, cpu) = (part!(data, count), live::<H>(uc, data));
        part!(data, host).undefined(&cpu, count);
    }
    true
}

pub(super) unsafe extern "C" fn on_watched<H: Hooks>(
    uc: *mut uc_engine,
    address: u64,
    size: u32,
    data: *mut c_void,
) {
    // SAFETY: as in `on_exception`.
    unsafe {
        let cpu = live::<H>(uc, data);
        let thumb = size == 2 || cpu.cpsr() & psr::THUMB != 0;
        let count = part!(data, count);
        if part!(data, host).reached(&cpu, count, address as u32, thumb) == Flow::Stop {
            stop::<H>(uc, data);
        }
    }
}

pub(super) unsafe extern "C" fn on_step<H: Hooks>(
    uc: *mut uc_engine,
    address: u64,
    size: u32,
    data: *mut c_void,
) {
    // SAFETY: as in `on_exception`.
    unsafe {
        let cpu = live::<H>(uc, data);
        let thumb = size == 2 || cpu.cpsr() & psr::THUMB != 0;
        let count = part!(data, count);
        if part!(data, host).stepped(count, address as u32, thumb) == Flow::Stop {
            stop::<H>(uc, data);
        }
    }
}

/// Ends the run before the block or the instruction that was announced.
///
/// # Safety
/// As for [`on_block`] and [`on_watched`].
unsafe fn stop<H>(uc: *mut uc_engine, data: *mut c_void) {
    // SAFETY: `data` is our `Shared`, of which this is a cell; the engine is open and
    // runs.
    unsafe {
        (*data.cast::<Shared<H>>()).stop_asked.set(true);
        uc_emu_stop(uc);
    }
}

pub(super) unsafe extern "C" fn on_access<H: Hooks>(
    uc: *mut uc_engine,
    kind: MemType,
    address: u64,
    size: i32,
    value: i64,
    data: *mut c_void,
) -> bool {
    // SAFETY: as in `on_exception`.
    unsafe {
        let (count, cpu) = (part!(data, count), live::<H>(uc, data));
        let new = (kind == MemType::WRITE_PROT).then_some(value as u64);
        let offset = (address - WINDOW) as u32;
        let goes_on = part!(data, host).accessed(&cpu, count, offset, size as u32, new);
        if goes_on {
            leave_no_condition(&cpu, cpu.cpsr());
        }
        goes_on
    }
}

pub(super) unsafe extern "C" fn on_window_read<H: Hooks>(
    _uc: *mut uc_engine,
    offset: u64,
    size: u32,
    data: *mut c_void,
) -> u64 {
    // SAFETY: as in `on_exception`.
    unsafe {
        let count = part!(data, count);
        part!(data, host).window_read(count, offset as u32, size)
    }
}

pub(super) unsafe extern "C" fn on_window_write<H: Hooks>(
    uc: *mut uc_engine,
    offset: u64,
    size: u32,
    value: u64,
    data: *mut c_void,
) {
    // SAFETY: as in `on_exception`.
    unsafe {
        let (count, cpu) = (part!(data, count), live::<H>(uc, data));
        part!(data, host).window_write(&cpu, count, offset as u32, size, value);
    }
}

pub(super) unsafe extern "C" fn on_counted<H: Hooks>(
    _uc: *mut uc_engine,
    _address: u64,
    _size: u32,
    data: *mut c_void,
) {
    // SAFETY: as in `on_exception`.
    unsafe { part!(data, host).counted() }
}
