//! The engine, its memory map and its callbacks.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use thiserror::Error;
use unicorn_engine_sys::{
    Arch, ControlType, HookType, MemType, Mode, Prot, TlbEntry, TlbType, TranslationBlock,
    uc_close, uc_ctl, uc_emu_start, uc_emu_stop, uc_engine, uc_error, uc_hook, uc_hook_add,
    uc_mem_map_ptr, uc_mem_protect, uc_mmio_map, uc_open,
};

use super::count::Count;
use super::live::{Cp15, Live, psr, write_control};
use super::model::CpuModel;
use super::ram::{PAGE, Ram};
use crate::mmu::Access;

/// Secure configuration: NS, FW, AW.
const SCR: u32 = 0x31;

/// Something that Unicorn refused.
#[derive(Debug, Error)]
#[error("Unicorn could not {what}: {reason}")]
pub struct EngineError {
    what: &'static str,
    reason: uc_error,
}

/// A page for the translation buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where it is; above 4 GiB for memory that the guest has no address for.
    pub(crate) physical: u64,
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

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// [`Flow::Stop`].
    Asked,
    /// The guest waits for an interrupt.
    Waiting,
    /// [`Hooks::fill`] refused an access.
    Refused,
    /// Something that Unicorn could not go on from.
    Failed(uc_error),
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
    fn reached(&mut self, count: &mut Count, address: u32, thumb: bool);
    /// An instruction of the counted range is about to run.
    fn counted(&mut self);
}

/// What the callbacks share. They run one inside the other in one case only
/// (see [`Live::forget_code`]), which touches `alias` alone; so each part is
/// borrowed by one callback at a time, and never the whole.
struct Shared<H> {
    count: Count,
    alias: Cell<Option<u64>>,
    /// Where the access that is being made comes from.
    pc: Cell<Option<u32>>,
    stop_asked: Cell<bool>,
    host: H,
}

/// A region of addresses outside of memory, for its callbacks.
struct Region<H> {
    shared: *mut Shared<H>,
    base: u32,
}

/// An emulated processor with its memory.
pub(crate) struct Engine<H> {
    uc: *mut uc_engine,
    shared: NonNull<Shared<H>>,
    /// Boxed one by one: Unicorn holds their addresses.
    #[expect(clippy::vec_box, reason = "their addresses must not change")]
    regions: Vec<Box<Region<H>>>,
    /// Kept alive for Unicorn, which executes from it.
    ram: Rc<Ram>,
}

impl<H: Hooks> Engine<H> {
    /// An engine that stands still at reset, with all of `ram` mapped.
    pub(crate) fn new(model: CpuModel, ram: Rc<Ram>, host: H) -> Result<Self, EngineError> {
        let mut uc = ptr::null_mut();
        // SAFETY: `uc` is a place for the handle.
        check("open an engine", unsafe {
            uc_open(Arch::ARM, Mode::ARM, &raw mut uc)
        })?;
        let shared = Box::new(Shared {
            count: Count::new(Rc::clone(&ram)),
            alias: Cell::new(None),
            pc: Cell::new(None),
            stop_asked: Cell::new(false),
            host,
        });
        let engine = Self {
            uc,
            shared: NonNull::from(Box::leak(shared)),
            regions: Vec::new(),
            ram,
        };
        engine.control(
            "select the processor",
            ControlType::CPU_MODEL,
            model.unicorn(),
        )?;
        engine.control("set the page size", ControlType::UC_PAGE_SIZE, PAGE as i32)?;
        engine.control("do without exits", ControlType::UC_USE_EXITS, 1)?;
        engine.control(
            "replace the page walk",
            ControlType::TLB_TYPE,
            TlbType::VIRTUAL as i32,
        )?;
        for (base, size, bytes) in engine.ram.banks() {
            // SAFETY: `bytes` points at `size` bytes that live as long as `ram`, which the
            // engine outlives by no more than its own drop.
            check("map memory", unsafe {
                uc_mem_map_ptr(engine.uc, base, size, Prot::ALL.0, bytes.cast())
            })?;
        }
        engine.add_hooks()?;
        // Unicorn starts models with security extensions in the non-secure state, where
        // software may not unmask fast interrupts and aborts unless this says so.
        if model.has_security() {
            engine.live().set_cp15(Cp15::SCR, SCR);
        }
        Ok(engine)
    }

    fn control(
        &self,
        what: &'static str,
        control: ControlType,
        value: i32,
    ) -> Result<(), EngineError> {
        // SAFETY: the engine is open; these controls take one int.
        check(what, unsafe {
            uc_ctl(self.uc, write_control(control, 1), value)
        })
    }

    fn add_hooks(&self) -> Result<(), EngineError> {
        let all = (1, 0);
        let shared = self.shared.as_ptr().cast();
        self.hook(HookType::BLOCK, on_block::<H> as *mut c_void, shared, all)?;
        self.hook(HookType::TLB_FILL, on_fill::<H> as *mut c_void, shared, all)?;
        self.hook(
            HookType::INTR,
            on_exception::<H> as *mut c_void,
            shared,
            all,
        )?;
        self.hook(
            HookType::INSN_INVALID,
            on_undefined::<H> as *mut c_void,
            shared,
            all,
        )?;
        self.hook(
            HookType::EDGE_GENERATED,
            on_translated::<H> as *mut c_void,
            shared,
            all,
        )
    }

    fn hook(
        &self,
        kind: HookType,
        callback: *mut c_void,
        data: *mut c_void,
        (first, last): (u64, u64),
    ) -> Result<(), EngineError> {
        let mut handle: uc_hook = 0;
        // SAFETY: `callback` has the signature that `kind` asks for (each is used at one
        // place, above or below) and `data` outlives the engine.
        check("add a hook", unsafe {
            uc_hook_add(
                self.uc,
                &raw mut handle,
                kind.0 as i32,
                callback,
                data,
                first,
                last,
            )
        })
    }

    /// Accesses to these addresses, which are outside of memory and a whole
    /// number of pages, go to [`Hooks::read`] and [`Hooks::write`]. With
    /// `locate` they are told where from.
    pub(crate) fn map_device(
        &mut self,
        base: u32,
        size: u64,
        locate: bool,
    ) -> Result<(), EngineError> {
        let region = Box::new(Region {
            shared: self.shared.as_ptr(),
            base,
        });
        let data = (&raw const *region).cast_mut().cast();
        self.regions.push(region);
        let (first, last) = (u64::from(base), u64::from(base) + size - 1);
        // SAFETY: the callbacks have the right signatures; `data` lives until the engine
        // is closed.
        check("map a device", unsafe {
            uc_mmio_map(
                self.uc,
                first,
                size,
                Some(on_read::<H>),
                data,
                Some(on_write::<H>),
                data,
            )
        })?;
        if locate {
            // SAFETY: the region was mapped just now.
            check("forbid a region", unsafe {
                uc_mem_protect(self.uc, first, size, Prot::NONE.0)
            })?;
            let kinds = HookType::MEM_READ_PROT | HookType::MEM_WRITE_PROT;
            let shared = self.shared.as_ptr().cast();
            self.hook(
                kinds,
                on_forbidden::<H> as *mut c_void,
                shared,
                (first, last),
            )?;
        }
        Ok(())
    }

    /// [`Hooks::reached`] is called before the instruction at `address`.
    pub(crate) fn watch(&mut self, address: u32) -> Result<(), EngineError> {
        let range = (u64::from(address), u64::from(address));
        let shared = self.shared.as_ptr().cast();
        self.hook(
            HookType::CODE,
            on_watched::<H> as *mut c_void,
            shared,
            range,
        )?;
        // Blocks that were translated before do not know of the hook.
        self.live().flush_code();
        Ok(())
    }

    /// [`Hooks::counted`] is called before every instruction of a range.
    pub(crate) fn count_range(&mut self, first: u32, last: u32) -> Result<(), EngineError> {
        let range = (u64::from(first), u64::from(last));
        let shared = self.shared.as_ptr().cast();
        self.hook(
            HookType::CODE,
            on_counted::<H> as *mut c_void,
            shared,
            range,
        )?;
        self.live().flush_code();
        Ok(())
    }

    /// Runs from where the program counter stands.
    pub(crate) fn run(&mut self) -> Stop {
        let cpu = self.live();
        let thumb = u32::from(cpu.cpsr() & psr::THUMB != 0);
        let start = cpu.pc() | thumb;
        self.stop_asked().set(false);
        // SAFETY: the engine is open. The callbacks reach `shared` through its own
        // pointer, and no reference into it is alive here.
        let error = unsafe { uc_emu_start(self.uc, u64::from(start), 0, 0, 0) };
        match error {
            uc_error::OK if self.stop_asked().get() => Stop::Asked,
            uc_error::OK => Stop::Waiting,
            uc_error::EXCEPTION => Stop::Refused,
            other => Stop::Failed(other),
        }
    }

    pub(crate) fn live(&self) -> Live<'_> {
        // SAFETY: the engine is open as long as `self` lives; `alias` is only borrowed
        // shared, by everybody.
        unsafe { Live::new(self.uc, &(*self.shared.as_ptr()).alias) }
    }

    pub(crate) fn host(&self) -> &H {
        // SAFETY: no callback runs while `self` is borrowed: `run` needs it mutably.
        unsafe { &(*self.shared.as_ptr()).host }
    }

    /// The host, the count and the registers at once.
    pub(crate) fn parts(&mut self) -> (&mut H, &mut Count, Live<'_>) {
        let shared = self.shared.as_ptr();
        // SAFETY: no callback runs while `self` is borrowed, and the three are apart.
        unsafe {
            (
                &mut (*shared).host,
                &mut (*shared).count,
                Live::new(self.uc, &(*shared).alias),
            )
        }
    }

    pub(crate) fn count(&self) -> &Count {
        // SAFETY: as in `host`.
        unsafe { &(*self.shared.as_ptr()).count }
    }

    pub(crate) fn ram(&self) -> &Ram {
        &self.ram
    }

    fn stop_asked(&self) -> &Cell<bool> {
        // SAFETY: a `Cell` that everybody borrows shared.
        unsafe { &(*self.shared.as_ptr()).stop_asked }
    }
}

impl<H> Drop for Engine<H> {
    fn drop(&mut self) {
        // SAFETY: the engine is open and does not run; closed, it holds no pointer to
        // `shared` any more, which came from a box.
        unsafe {
            uc_close(self.uc);
            drop(Box::from_raw(self.shared.as_ptr()));
        }
    }
}

fn check(what: &'static str, reason: uc_error) -> Result<(), EngineError> {
    if reason == uc_error::OK {
        Ok(())
    } else {
        Err(EngineError { what, reason })
    }
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

/// The hot path: once per block. It calls nothing but as its last act, so that
/// no register needs to be saved.
unsafe extern "C" fn on_block<H: Hooks>(
    uc: *mut uc_engine,
    address: u64,
    size: u32,
    data: *mut c_void,
) {
    // SAFETY: `data` is our `Shared`, and no callback is under way.
    let count = unsafe { part!(data, count) };
    let address = address as u32;
    if count.retired < count.deadline && count.is_arm(address) {
        count.started(address, size / 4);
    } else {
        // SAFETY: as above.
        unsafe { on_other_block::<H>(uc, address, size, data) }
    }
}

/// A block of Thumb code, or one at the deadline.
///
/// # Safety
/// As for [`on_block`].
#[inline(never)]
unsafe fn on_other_block<H: Hooks>(uc: *mut uc_engine, address: u32, size: u32, data: *mut c_void) {
    // SAFETY: `data` is our `Shared`, and no callback is under way.
    let (host, count, cpu) =
        unsafe { (part!(data, host), part!(data, count), live::<H>(uc, data)) };
    if count.retired >= count.deadline {
        count.block_instructions = 0;
        match host.boundary(&cpu, count, address) {
            Flow::Run => {}
            Flow::Redirected => return,
            Flow::Stop => {
                // SAFETY: as above; the engine is open and runs.
                unsafe {
                    (*data.cast::<Shared<H>>()).stop_asked.set(true);
                    uc_emu_stop(uc);
                }
                return;
            }
        }
    }
    let thumb = || cpu.cpsr() & psr::THUMB != 0;
    let instructions = count.instructions(address, size, thumb);
    count.started(address, instructions);
}

unsafe extern "C" fn on_translated<H: Hooks>(
    uc: *mut uc_engine,
    block: *mut TranslationBlock,
    _previous: *mut TranslationBlock,
    data: *mut c_void,
) {
    // SAFETY: Unicorn passes a block of its own; `data` is our `Shared`, and the hook
    // is called between blocks.
    let (block, count, cpu) = unsafe { (&*block, part!(data, count), live::<H>(uc, data)) };
    let thumb = cpu.cpsr() & psr::THUMB != 0;
    count.translated(
        block.pc as u32,
        u32::from(block.size),
        u32::from(block.icount),
        thumb,
    );
}

unsafe extern "C" fn on_fill<H: Hooks>(
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
    let mut perms = Prot::READ;
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

unsafe extern "C" fn on_forbidden<H: Hooks>(
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

unsafe extern "C" fn on_read<H: Hooks>(
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

unsafe extern "C" fn on_write<H: Hooks>(
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

unsafe extern "C" fn on_exception<H: Hooks>(uc: *mut uc_engine, number: u32, data: *mut c_void) {
    // SAFETY: `data` is our `Shared`; no other callback is under way.
    unsafe {
        let (count, cpu) = (part!(data, count), live::<H>(uc, data));
        part!(data, host).exception(&cpu, count, number);
    }
}

unsafe extern "C" fn on_undefined<H: Hooks>(uc: *mut uc_engine, data: *mut c_void) -> bool {
    // SAFETY: as in `on_exception`.
    unsafe {
        let (count, cpu) = (part!(data, count), live::<H>(uc, data));
        part!(data, host).undefined(&cpu, count);
    }
    true
}

unsafe extern "C" fn on_watched<H: Hooks>(
    uc: *mut uc_engine,
    address: u64,
    size: u32,
    data: *mut c_void,
) {
    // SAFETY: as in `on_exception`.
    unsafe {
        let thumb = size == 2 || live::<H>(uc, data).cpsr() & psr::THUMB != 0;
        let count = part!(data, count);
        part!(data, host).reached(count, address as u32, thumb);
    }
}

unsafe extern "C" fn on_counted<H: Hooks>(
    _uc: *mut uc_engine,
    _address: u64,
    _size: u32,
    data: *mut c_void,
) {
    // SAFETY: as in `on_exception`.
    unsafe { part!(data, host).counted() }
}
