//! The registers of the processor, for callbacks and between runs.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use unicorn_engine::{
    ControlType, RegisterARM, RegisterARMCP, uc_context, uc_context_alloc, uc_context_free,
    uc_context_restore, uc_context_save, uc_ctl, uc_engine, uc_error, uc_reg_read, uc_reg_write,
};

/// Program status register bits that we use (DDI 0406C B1.3.3).
pub(crate) mod psr {
    pub(crate) const MODE: u32 = 0x1f;
    pub(crate) const USER: u32 = 0x10;
    pub(crate) const FIQ: u32 = 0x11;
    pub(crate) const IRQ: u32 = 0x12;
    pub(crate) const SUPERVISOR: u32 = 0x13;
    pub(crate) const ABORT: u32 = 0x17;
    pub(crate) const UNDEFINED: u32 = 0x1b;
    pub(crate) const SYSTEM: u32 = 0x1f;
    pub(crate) const THUMB: u32 = 1 << 5;
    pub(crate) const FIQ_OFF: u32 = 1 << 6;
    pub(crate) const IRQ_OFF: u32 = 1 << 7;
    pub(crate) const ABORT_OFF: u32 = 1 << 8;
    pub(crate) const BIG_ENDIAN: u32 = 1 << 9;
    pub(crate) const JAZELLE: u32 = 1 << 24;
    /// Both parts of the state of an If-Then block.
    pub(crate) const IF_THEN: u32 = 0x0600_fc00;
    /// The part of it that is not 0 as long as there are instructions in the block.
    pub(crate) const IF_THEN_MASK: u32 = 0x0600_0c00;
}

/// A register of the system control coprocessor, or of its neighbour 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cp15 {
    cp: u32,
    /// 64 bits, for MCRR and MRRC.
    long: bool,
    crn: u32,
    opc1: u32,
    crm: u32,
    opc2: u32,
}

impl Cp15 {
    pub(crate) const MIDR: Self = Self::new(0, 0, 0, 0);
    /// What MIDR reads as outside of hypervisor mode, where there is one.
    pub(crate) const VPIDR: Self = Self::new(0, 4, 0, 0);
    pub(crate) const SCTLR: Self = Self::new(1, 0, 0, 0);
    pub(crate) const SCR: Self = Self::new(1, 0, 1, 0);
    pub(crate) const TTBR0: Self = Self::new(2, 0, 0, 0);
    pub(crate) const TTBR1: Self = Self::new(2, 0, 0, 1);
    pub(crate) const TTBR0_LONG: Self = Self::long(0, 2);
    pub(crate) const TTBR1_LONG: Self = Self::long(1, 2);
    pub(crate) const TTBCR: Self = Self::new(2, 0, 0, 2);
    pub(crate) const DACR: Self = Self::new(3, 0, 0, 0);
    pub(crate) const DFSR: Self = Self::new(5, 0, 0, 0);
    pub(crate) const IFSR: Self = Self::new(5, 0, 0, 1);
    pub(crate) const DFAR: Self = Self::new(6, 0, 0, 0);
    pub(crate) const IFAR: Self = Self::new(6, 0, 0, 2);
    pub(crate) const VBAR: Self = Self::new(12, 0, 0, 0);

    pub(super) const fn new(crn: u32, opc1: u32, crm: u32, opc2: u32) -> Self {
        Self {
            cp: 15,
            long: false,
            crn,
            opc1,
            crm,
            opc2,
        }
    }

    /// A register of coprocessor 14.
    pub(super) const fn of_14(crn: u32, opc1: u32, crm: u32, opc2: u32) -> Self {
        Self {
            cp: 14,
            ..Self::new(crn, opc1, crm, opc2)
        }
    }

    pub(super) const fn long(opc1: u32, crm: u32) -> Self {
        Self {
            long: true,
            ..Self::new(0, opc1, crm, 0)
        }
    }

    /// Bank 0 is the one that a guest's MCR writes on all of our models.
    fn raw(self, value: u64) -> RegisterARMCP {
        RegisterARMCP {
            cp: self.cp,
            is64: self.long.into(),
            sec: 0,
            crn: self.crn,
            crm: self.crm,
            opc1: self.opc1,
            opc2: self.opc2,
            val: value,
        }
    }
}

/// A copy of the processor's state in Unicorn's own form.
#[derive(Debug)]
pub(super) struct Context(NonNull<uc_context>);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: `Live::context` allocated it, and nobody else frees it.
        unsafe {
            uc_context_free(self.0.as_ptr());
        }
    }
}

#[cfg(test)]
impl Context {
    pub(super) fn bytes(&self, size: usize) -> &[u8] {
        // SAFETY: a context has as many bytes as its engine says.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size) }
    }
}

#[cfg(test)]
impl Live<'_> {
    pub(crate) fn context_size(&self) -> usize {
        // SAFETY: the engine is open.
        unsafe { unicorn_engine::uc_context_size(self.uc) }
    }
}

/// What may be done to the processor while a callback runs or while it stands
/// still. It is a handle: changing a register needs no `&mut`.
pub(crate) struct Live<'a> {
    uc: *mut uc_engine,
    /// See [`Live::forget_code`].
    alias: &'a Cell<Option<u64>>,
}

impl<'a> Live<'a> {
    /// # Safety
    /// `uc` is an open engine, and stays so for `'a`.
    pub(super) unsafe fn new(uc: *mut uc_engine, alias: &'a Cell<Option<u64>>) -> Self {
        Self { uc, alias }
    }

    #[inline]
    pub(super) fn get(&self, register: RegisterARM) -> u32 {
        let mut value = 0_u32;
        // SAFETY: the engine is open (`new`); every register we name is 32 bits wide.
        unsafe {
            uc_reg_read(self.uc, register as i32, (&raw mut value).cast::<c_void>());
        }
        value
    }

    #[inline]
    pub(super) fn set(&self, register: RegisterARM, value: u32) {
        // SAFETY: as in `get`.
        unsafe {
            uc_reg_write(
                self.uc,
                register as i32,
                (&raw const value).cast::<c_void>(),
            );
        }
    }

    /// One of the 32 registers for floating point and vectors; numbers wrap.
    pub(super) fn double(&self, number: u32) -> u64 {
        let mut value = 0_u64;
        let register = RegisterARM::D0 as i32 + (number % 32) as i32;
        // SAFETY: as in `get`; these registers are 64 bits wide, and their numbers
        // follow each other (arm.h).
        unsafe {
            uc_reg_read(self.uc, register, (&raw mut value).cast::<c_void>());
        }
        value
    }

    pub(super) fn set_double(&self, number: u32, value: u64) {
        let register = RegisterARM::D0 as i32 + (number % 32) as i32;
        // SAFETY: as in `double`.
        unsafe {
            uc_reg_write(self.uc, register, (&raw const value).cast::<c_void>());
        }
    }

    /// A copy of the processor's whole state, for this engine alone; none when
    /// the host lacks memory.
    pub(super) fn context(&self) -> Option<Context> {
        let mut raw = ptr::null_mut();
        // SAFETY: the engine is open; `raw` is a place for the handle, which is used when
        // it was made.
        let saved = unsafe {
            uc_context_alloc(self.uc, &raw mut raw) == uc_error::OK
                && uc_context_save(self.uc, raw) == uc_error::OK
        };
        let context = Context(NonNull::new(raw)?);
        saved.then_some(context)
    }

    /// Puts the processor back to a state that this very engine had.
    ///
    /// # Safety
    /// `context` was taken of this engine: it holds pointers of it.
    pub(super) unsafe fn set_context(&self, context: &Context) {
        // SAFETY: the engine is open, and the context is a saved one (`context`) of it.
        unsafe {
            uc_context_restore(self.uc, context.0.as_ptr());
        }
    }

    /// A general register of the current mode; 15 is the program counter as it
    /// is, not the value that an instruction would read. Numbers wrap.
    pub(crate) fn register(&self, number: u32) -> u32 {
        self.get(general(number))
    }

    /// Writes a general register. Bit 0 of a new program counter selects Thumb.
    pub(crate) fn set_register(&self, number: u32, value: u32) {
        self.set(general(number), value);
    }

    pub(crate) fn pc(&self) -> u32 {
        self.get(RegisterARM::PC)
    }

    /// Goes on at `address`; bit 0 selects Thumb. In a callback, the block that
    /// runs is left.
    pub(crate) fn set_pc(&self, address: u32) {
        self.set(RegisterARM::PC, address);
    }

    pub(crate) fn cpsr(&self) -> u32 {
        self.get(RegisterARM::CPSR)
    }

    /// Changes mode and banks too.
    pub(crate) fn set_cpsr(&self, value: u32) {
        self.set(RegisterARM::CPSR, value);
    }

    pub(crate) fn spsr(&self) -> u32 {
        self.get(RegisterARM::SPSR)
    }

    pub(crate) fn set_spsr(&self, value: u32) {
        self.set(RegisterARM::SPSR, value);
    }

    /// The syndrome of the last exception that Unicorn raised. Aborts have bit
    /// 6 set for a write.
    pub(crate) fn syndrome(&self) -> u32 {
        self.get(RegisterARM::ESR)
    }

    /// Makes [`syndrome`](Self::syndrome) tell the next exception apart from a
    /// hint, which leaves it alone.
    pub(crate) fn clear_syndrome(&self) {
        self.set(RegisterARM::ESR, 0);
    }

    /// None when the model does not have the register.
    #[inline]
    pub(crate) fn cp15(&self, register: Cp15) -> Option<u32> {
        self.cp15_long(register).map(|value| value as u32)
    }

    /// The same with all of a register of 64 bits.
    #[inline]
    pub(crate) fn cp15_long(&self, register: Cp15) -> Option<u64> {
        let mut raw = register.raw(0);
        // SAFETY: as in `get`; a coprocessor access wants a `RegisterARMCP`.
        let error = unsafe {
            uc_reg_read(
                self.uc,
                RegisterARM::CP_REG as i32,
                (&raw mut raw).cast::<c_void>(),
            )
        };
        (error == uc_error::OK).then_some(raw.val)
    }

    /// A register that the model does not have is left alone.
    pub(crate) fn set_cp15(&self, register: Cp15, value: u32) {
        self.set_cp15_long(register, value.into());
    }

    /// The same with all of a register of 64 bits.
    pub(crate) fn set_cp15_long(&self, register: Cp15, value: u64) {
        let raw = register.raw(value);
        // SAFETY: as in `cp15`.
        unsafe {
            uc_reg_write(
                self.uc,
                RegisterARM::CP_REG as i32,
                (&raw const raw).cast::<c_void>(),
            );
        }
    }

    /// Forgets all translations of addresses.
    pub(crate) fn flush_tlb(&self) {
        // SAFETY: the engine is open; this control takes no argument.
        unsafe {
            uc_ctl(self.uc, write_control(ControlType::TLB_FLUSH, 0));
        }
    }

    /// Forgets all translated code.
    pub(crate) fn flush_code(&self) {
        // SAFETY: the engine is open; this control takes no argument.
        unsafe {
            uc_ctl(self.uc, write_control(ControlType::TB_FLUSH, 0));
        }
    }

    /// Does something in which Unicorn looks translated code up by virtual address
    /// to forget it, which asks the TLB hook; then forgets all code.
    pub(super) fn forget_while(&self, act: impl FnOnce()) {
        // What it finds does not matter, but the guest must not seem to fetch.
        self.alias.set(Some(0));
        act();
        self.alias.set(None);
        self.flush_code();
        self.flush_tlb();
    }

    /// Forgets the code translated from one page of memory, whatever virtual
    /// addresses it was reached by. `address` is a virtual page that stands for
    /// the physical page: Unicorn looks it up as for an instruction fetch and
    /// calls the TLB hook, which answers `physical` meanwhile. The translation
    /// stays behind: flush the TLB afterwards.
    pub(crate) fn forget_code(&self, address: u32, physical: u64) {
        let start = u64::from(address) & !0xfff;
        self.alias.set(Some(physical & !0xfff));
        // SAFETY: the engine is open; the control takes two 64-bit addresses.
        unsafe {
            uc_ctl(
                self.uc,
                write_control(ControlType::TB_REMOVE_CACHE, 2),
                start,
                start + 0x1000,
            );
        }
        self.alias.set(None);
    }
}

/// `UC_CTL_WRITE` of unicorn.h, which is a macro.
pub(super) fn write_control(control: ControlType, arguments: u32) -> ControlType {
    ControlType(control.0 | arguments << 26 | 1 << 30)
}

fn general(number: u32) -> RegisterARM {
    match number & 15 {
        0 => RegisterARM::R0,
        1 => RegisterARM::R1,
        2 => RegisterARM::R2,
        3 => RegisterARM::R3,
        4 => RegisterARM::R4,
        5 => RegisterARM::R5,
        6 => RegisterARM::R6,
        7 => RegisterARM::R7,
        8 => RegisterARM::R8,
        9 => RegisterARM::R9,
        10 => RegisterARM::R10,
        11 => RegisterARM::R11,
        12 => RegisterARM::R12,
        13 => RegisterARM::SP,
        14 => RegisterARM::LR,
        _ => RegisterARM::PC,
    }
}
