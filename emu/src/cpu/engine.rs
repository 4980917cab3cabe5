//! The engine and its memory map.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use unicorn_engine::{
    Arch, ControlType, HookType, Mode, Prot, TlbType, uc_close, uc_ctl, uc_emu_start, uc_engine,
    uc_error, uc_hook, uc_hook_add, uc_hook_del, uc_mem_map_ptr, uc_mem_protect, uc_mmio_map,
    uc_open,
};

use super::callbacks::{
    Hooks, Region, Shared, on_access, on_block, on_counted, on_exception, on_fill, on_forbidden,
    on_read, on_step, on_translated, on_undefined, on_watched, on_window_read, on_window_write,
    on_write,
};
use super::count::Count;
use super::exit_checks::{self, ExitChecks};
use super::live::{Cp15, Live, psr, write_control};
use super::model::CpuModel;
use super::ram::{PAGE, Ram};
use crate::machine::stops::{WINDOW, WINDOW_PAGES};

/// Secure configuration: NS, FW, AW.
const SCR: u32 = 0x31;

/// Bytes of translated code at most; then all of it is forgotten. Left to itself
/// Unicorn takes 1 GiB, and a guest that always rewrites its code gets it.
const TRANSLATED: i32 = 48 << 20;

/// Something that Unicorn refused.
#[derive(Debug, Error)]
#[error("Unicorn could not {what}: {reason}")]
pub struct EngineError {
    what: &'static str,
    reason: uc_error,
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
    /// [`Hooks::accessed`] stopped an access.
    Watched,
    /// Something that Unicorn could not go on from.
    Failed(uc_error),
}

/// A hook of code.
#[derive(Debug)]
pub(crate) struct Hook(uc_hook);

/// An emulated processor with its memory.
pub(crate) struct Engine<H> {
    uc: *mut uc_engine,
    /// Different for every engine of the process.
    number: u64,
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
        let shared = Box::new(Shared::new(Count::new(Rc::clone(&ram)), host));
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let engine = Self {
            uc,
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
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
        engine.control(
            "bound translated code",
            ControlType::TCG_BUFFER_SIZE,
            TRANSLATED,
        )?;
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
        // SAFETY: a static page, to be read and executed only.
        check("map a page", unsafe {
            uc_mem_map_ptr(
                engine.uc,
                exit_checks::PAGE_AT,
                PAGE,
                (Prot::READ | Prot::EXEC).0,
                exit_checks::INSTRUCTIONS.as_ptr(),
            )
        })?;
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
        )?;
        Ok(())
    }

    fn hook(
        &self,
        kind: HookType,
        callback: *mut c_void,
        data: *mut c_void,
        (first, last): (u64, u64),
    ) -> Result<Hook, EngineError> {
        let mut handle: uc_hook = 0;
        // SAFETY: `callback` has the signature that `kind` asks for (each is used at one
        // place, above or below) and `data` outlives the engine.
        let added = check("add a hook", unsafe {
            uc_hook_add(
                self.uc,
                &raw mut handle,
                kind.0 as i32,
                callback,
                data,
                first,
                last,
            )
        });
        added.map(|()| Hook(handle))
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
    pub(crate) fn watch(&mut self, address: u32) -> Result<Hook, EngineError> {
        let range = (u64::from(address), u64::from(address));
        self.hook_code(on_watched::<H> as *mut c_void, range)
    }

    /// [`Hooks::stepped`] is called before every instruction.
    pub(crate) fn step(&mut self) -> Result<Hook, EngineError> {
        self.hook_code(on_step::<H> as *mut c_void, (0, u64::from(u32::MAX)))
    }

    fn hook_code(&self, callback: *mut c_void, range: (u64, u64)) -> Result<Hook, EngineError> {
        let shared = self.shared.as_ptr().cast();
        let hook = self.hook(HookType::CODE, callback, shared, range)?;
        // Blocks that were translated before do not know of the hook.
        self.live().flush_code();
        Ok(hook)
    }

    /// Takes a hook of code away again.
    pub(crate) fn unhook(&mut self, hook: Hook) {
        self.live().forget_while(|| {
            // SAFETY: the engine is open and does not run; a `Hook` is one that was added and
            // not taken away yet.
            unsafe {
                uc_hook_del(self.uc, hook.0);
            }
        });
    }

    /// Maps the window, whose accesses are announced by [`Hooks::accessed`] and
    /// made by [`Hooks::window_read`] and [`Hooks::window_write`].
    pub(crate) fn map_window(&mut self) -> Result<(), EngineError> {
        let shared = self.shared.as_ptr().cast();
        let size = WINDOW_PAGES * PAGE;
        // SAFETY: the callbacks have the right signatures; `shared` outlives the engine.
        check("map the window", unsafe {
            uc_mmio_map(
                self.uc,
                WINDOW,
                size,
                Some(on_window_read::<H>),
                shared,
                Some(on_window_write::<H>),
                shared,
            )
        })?;
        // SAFETY: the region was mapped just now.
        check("forbid the window", unsafe {
            uc_mem_protect(self.uc, WINDOW, size, Prot::NONE.0)
        })?;
        let kinds = HookType::MEM_READ_PROT | HookType::MEM_WRITE_PROT;
        let range = (WINDOW, WINDOW + size - 1);
        self.hook(kinds, on_access::<H> as *mut c_void, shared, range)?;
        Ok(())
    }

    /// [`Hooks::counted`] is called before every instruction of a range.
    pub(crate) fn count_range(&mut self, first: u32, last: u32) -> Result<(), EngineError> {
        let range = (u64::from(first), u64::from(last));
        self.hook_code(on_counted::<H> as *mut c_void, range)?;
        Ok(())
    }

    /// Runs from where the program counter stands.
    pub(crate) fn run(&mut self) -> Stop {
        let error = loop {
            self.decide_exit_checks();
            let cpu = self.live();
            let thumb = u32::from(cpu.cpsr() & psr::THUMB != 0);
            let error = self.emulate(cpu.pc() | thumb);
            if error != uc_error::OK || !self.exit_checks().is_asked() {
                break error;
            }
        };
        match error {
            uc_error::OK if self.stop_asked().get() => Stop::Asked,
            uc_error::OK => Stop::Waiting,
            uc_error::EXCEPTION => Stop::Refused,
            uc_error::READ_PROT | uc_error::WRITE_PROT => Stop::Watched,
            other => Stop::Failed(other),
        }
    }

    fn emulate(&mut self, start: u32) -> uc_error {
        self.stop_asked().set(false);
        // SAFETY: the engine is open. The callbacks reach `shared` through its own
        // pointer, and no reference into it is alive here.
        unsafe { uc_emu_start(self.uc, u64::from(start), 0, 0, 0) }
    }

    /// See [`exit_checks`].
    fn decide_exit_checks(&mut self) {
        let (_, count, cpu) = self.parts();
        let (pc, cpsr) = (cpu.pc(), cpu.cpsr());
        let thumb = cpsr & psr::THUMB != 0;
        let (retired, deadline) = (count.retired, count.deadline);
        let asked = self.exit_checks().is_asked();
        if !self.exit_checks().decides(thumb, retired) {
            return;
        }
        if asked && self.exit_checks().wanted.get() {
            // The block that is next was translated while it was not known.
            self.live().flush_code();
        }
        let cpu = self.live();
        // The guest may have something of its own at that address.
        cpu.flush_tlb();
        // Translated before, it would not be again.
        cpu.forget_code(exit_checks::ADDRESS, exit_checks::PAGE_AT);
        cpu.set_cpsr(self.exit_checks().status(cpsr));
        self.alias().set(Some(exit_checks::PAGE_AT));
        self.parts().1.deadline = 0;
        self.emulate(exit_checks::ADDRESS | 1);
        self.alias().set(None);
        self.parts().1.deadline = deadline;
        let cpu = self.live();
        cpu.set_pc(pc | u32::from(thumb));
        cpu.set_cpsr(cpsr);
        cpu.flush_tlb();
    }

    /// Whether the guest may be stopped in the middle of a block.
    pub(crate) fn stops_in_blocks(&mut self, whether: bool) {
        let before = self.exit_checks().wanted.replace(whether);
        if whether && !before {
            // What was translated before has no checks.
            self.live().flush_code();
        }
    }

    fn alias(&self) -> &Cell<Option<u64>> {
        // SAFETY: as in `stop_asked`.
        unsafe { &(*self.shared.as_ptr()).alias }
    }

    fn exit_checks(&self) -> &ExitChecks {
        // SAFETY: cells that everybody borrows shared.
        unsafe { &(*self.shared.as_ptr()).exit_checks }
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

    /// See the field.
    pub(crate) fn number(&self) -> u64 {
        self.number
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
