//! What the TLB hook does: opaque memory, the walk, rights, and the care that
//! translated code needs.
//!
//! Unicorn notices a store to code only if the TLB entry that the store uses may
//! also be executed; after its first store any other entry is not looked at
//! again. So a page of memory is either one that code was fetched from, whose
//! writable entries are all executable (each store is checked, 13 times as
//! slow), or one that was written, whose entries are not. When the first fetch
//! comes to a written page, the TLB is emptied. When a store comes to a fetched
//! page, its code is forgotten and it becomes a written one: pages of ended
//! programs are used again for data. A page where that happens often stays
//! checked.

use std::ops::RangeInclusive;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::Access;
use super::fault::{Fault, Format, Level, Status};
use super::opaque::{Opaque, Presence, is_mapped};
use super::operand;
use super::ranges::{Range, ranges};
use super::walk::{Mapping, Regime, Rights, SCTLR_M, walk};
use crate::cpu::callbacks::Page;
use crate::cpu::count::{Count, is_wide};
use crate::cpu::live::{Cp15, Live, psr};
use crate::cpu::ram::{PAGE, Ram};
use crate::cpu::{Architecture, CpuModel};

/// An access that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) access: Access,
    /// The page.
    pub(crate) address: u32,
    pub(crate) fault: Fault,
}

/// State of a page of memory, in a byte.
mod page {
    /// Code was fetched from it.
    pub(super) const FETCHED: u8 = 1;
    /// It was handed out for writing.
    pub(super) const WRITTEN: u8 = 2;
    /// One more turn from a fetched page to a written one.
    pub(super) const TURN: u8 = 4;
    /// So many turns, and it stays checked.
    pub(super) const TURNS: u8 = 16 * TURN;
}

/// The translation of addresses.
pub(crate) struct Mmu {
    architecture: Architecture,
    lpae: bool,
    ram: Rc<Ram>,
    /// See [`page`].
    pages: Vec<u8>,
    opaque: Option<Opaque>,
    /// The registers as they were read last.
    regime: Option<Regime>,
    /// The tables that were in use when the MMU was switched on last: the
    /// kernel's own, which later ones are copies of.
    master: Option<Regime>,
    refusal: Option<Refusal>,
    /// Where privileged code finds nothing, and no fault, if nothing is mapped.
    pub(crate) nobodys: Option<RangeInclusive<u32>>,
    /// Something happened that the machine wants to know of.
    pub(crate) news: News,
    /// A page that is read is not handed out for writing along with it unless it
    /// is known to have changed: a snapshot wants to know which pages do.
    tracks: bool,
}

/// What a snapshot keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pages: Vec<u8>,
    master: Option<Regime>,
    nobodys: Option<RangeInclusive<u32>>,
}

/// So many pages' code is forgotten one by one; of more all at once.
const ONE_BY_ONE: usize = 256;

/// What a fill may notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The MMU is on.
    pub(crate) on: bool,
    /// User mode fetches an instruction.
    pub(crate) user: bool,
    /// The kernel maps this address of the opaque range.
    pub(crate) conflict: Option<u32>,
}

impl News {
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.on || self.user || self.conflict.is_some()
    }
}

impl Mmu {
    pub(crate) fn new(model: CpuModel, ram: Rc<Ram>, opaque: Option<Opaque>) -> Self {
        Self {
            architecture: model.architecture(),
            lpae: model.has_lpae(),
            pages: vec![0; ram.pages() as usize],
            ram,
            opaque,
            regime: None,
            master: None,
            refusal: None,
            nobodys: None,
            news: News::default(),
            tracks: false,
        }
    }

    /// What a snapshot keeps. From now on it is told apart which pages change.
    /// The TLB is to be emptied.
    pub(crate) fn keep(&mut self) -> Kept {
        self.tracks = true;
        Kept {
            pages: self.pages.clone(),
            master: self.master,
            nobodys: self.nobodys.clone(),
        }
    }

    /// Whether what was kept can be this machine's.
    pub(crate) fn fits(&self, kept: &Kept) -> bool {
        kept.pages.len() == self.pages.len()
            && kept
                .pages
                .iter()
                .all(|&state| state < page::TURNS + page::TURN)
    }

    /// Goes back to what was kept. Code from pages that changed is forgotten, and
    /// from those that nothing was fetched from then. The TLB is empty before and
    /// after.
    pub(crate) fn restore(&mut self, cpu: &Live<'_>, kept: &Kept, changed: &[u32]) {
        self.tracks = true;
        let fetched = |state: u8| state & page::FETCHED != 0;
        let mut stale: Vec<u32> = changed.to_vec();
        stale.retain(|&page| fetched(self.state(page)));
        let states = self.pages.iter().zip(&kept.pages);
        stale.extend(
            (0..)
                .zip(states)
                .filter(|(_, (now, then))| fetched(**now) && !fetched(**then))
                .map(|(page, _)| page),
        );
        if stale.len() > ONE_BY_ONE {
            cpu.flush_code();
        } else if !stale.is_empty() {
            // Any virtual page can stand for the physical one, but each for one alone.
            for (place, physical) in (0..).zip(&stale) {
                if let Some(physical) = self.ram.address_of(*physical) {
                    cpu.forget_code(place << 12, physical);
                }
            }
            cpu.flush_tlb();
        }
        self.pages.copy_from_slice(&kept.pages);
        self.master = kept.master;
        self.nobodys = kept.nobodys.clone();
        self.regime = None;
        self.refusal = None;
        self.news = News::default();
    }

    /// Answers the TLB hook. See [`crate::cpu::callbacks::Hooks::fill`].
    pub(crate) fn fill(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        address: u32,
        access: Access,
    ) -> Option<Page> {
        let cpsr = cpu.cpsr();
        let mut user = cpsr & psr::MODE == psr::USER;
        let regime = match (count.take_system_written(), self.regime) {
            (false, Some(known)) => known,
            _ => self.regime(cpu),
        };
        self.regime = Some(regime);
        let found = if regime.sctlr & SCTLR_M == 0 {
            self.master = None;
            Ok(identity(address))
        } else {
            if self.master.is_none() {
                self.master = Some(regime);
                self.news.on = true;
            }
            let opaque = self
                .opaque
                .as_ref()
                .filter(|opaque| opaque.contains(address));
            match opaque.filter(|_| !user && !is_unprivileged(cpu, count, cpsr, access)) {
                Some(opaque) => {
                    let page = opaque.page(address);
                    self.look_for_conflict_at(&regime, address);
                    page.ok_or(Fault::new(Status::Translation(Level::First)))
                }
                None => self.walk(&regime, address),
            }
        };
        let found = found.or_else(
            |fault| match self.is_nobodys(address, access, user, fault) {
                true => Ok(identity(address)),
                false => Err(fault),
            },
        );
        let granted = found.and_then(|mapping| {
            user = user
                || mapping.user != mapping.privileged && is_unprivileged(cpu, count, cpsr, access);
            let rights = if user {
                mapping.user
            } else {
                mapping.privileged
            };
            if !rights.allow(access) {
                return Err(mapping.permission_fault());
            }
            self.grant(cpu, count, address, access, &mapping, rights, cpsr)
        });
        match granted {
            Ok(page) => {
                self.news.user |= user && access == Access::Fetch;
                Some(page)
            }
            Err(fault) => {
                self.refusal = Some(Refusal {
                    access,
                    address,
                    fault,
                });
                None
            }
        }
    }

    /// The memory that is translated to.
    pub(crate) fn ram(&self) -> &Ram {
        &self.ram
    }

    /// Whether an address is in the opaque range.
    pub(crate) fn is_opaque(&self, address: u32) -> bool {
        let mut range = self.opaque.iter();
        range.any(|range| range.contains(address))
    }

    /// A store was made past the TLB, in the middle of a block: code from that page
    /// must be forgotten.
    pub(crate) fn written_in_passing(&self, cpu: &Live<'_>, physical: u64) {
        let page = self.ram.page_of(physical);
        if page.is_some_and(|page| self.state(page) & page::FETCHED != 0) {
            // What stands for the page must not have a translation of its own.
            cpu.flush_tlb();
            cpu.forget_code(0, physical);
            cpu.flush_tlb();
        }
    }

    /// Whether a fault is one that [`nobodys`](Self::nobodys) is there for.
    fn is_nobodys(&self, address: u32, access: Access, user: bool, fault: Fault) -> bool {
        let unmapped = matches!(fault.status, Status::Translation(_));
        let here = |range: &RangeInclusive<u32>| range.contains(&address);
        unmapped
            && !user
            && access != Access::Fetch
            && self.nobodys.as_ref().is_some_and(here)
            && self.ram.page_of(u64::from(address)).is_none()
    }

    /// The access that [`fill`](Self::fill) refused last.
    pub(crate) fn take_refusal(&mut self) -> Option<Refusal> {
        self.refusal.take()
    }

    /// What the guest's own tables have for an address. Nothing answers beyond
    /// 4 GiB, where opaque memory lies.
    fn walk(&self, regime: &Regime, address: u32) -> Result<Mapping, Fault> {
        let mapping = walk(&*self.ram, regime, address)?;
        if mapping.physical >> 32 != 0 {
            return Err(Fault {
                status: Status::External,
                domain: mapping.domain,
            });
        }
        Ok(mapping)
    }

    /// The registers that rule walks, as they are now.
    pub(crate) fn regime(&self, cpu: &Live<'_>) -> Regime {
        let mut regime = Regime {
            architecture: self.architecture,
            lpae: self.lpae,
            sctlr: cpu.cp15(Cp15::SCTLR).unwrap_or(0),
            ttbr0: 0,
            ttbr1: 0,
            ttbcr: match self.architecture {
                Architecture::V5 => 0,
                _ => cpu.cp15(Cp15::TTBCR).unwrap_or(0),
            },
            dacr: cpu.cp15(Cp15::DACR).unwrap_or(0),
        };
        let [base0, base1] = match regime.format() {
            Format::Short => [Cp15::TTBR0, Cp15::TTBR1],
            Format::Long => [Cp15::TTBR0_LONG, Cp15::TTBR1_LONG],
        };
        regime.ttbr0 = cpu.cp15_long(base0).unwrap_or(0);
        if regime.splits() {
            regime.ttbr1 = cpu.cp15_long(base1).unwrap_or(0);
        }
        regime
    }

    /// The format of fault status at the moment.
    pub(crate) fn format(&self, cpu: &Live<'_>) -> Format {
        self.regime(cpu).format()
    }

    /// Where a virtual address of the running program is, as privileged modes
    /// see it. Changes nothing.
    pub(crate) fn locate(&self, cpu: &Live<'_>, address: u32) -> Option<u64> {
        let regime = self.regime(cpu);
        let mapping = if regime.sctlr & SCTLR_M == 0 {
            identity(address)
        } else if let Some(opaque) = self.opaque.as_ref().filter(|range| range.contains(address)) {
            opaque.page(address)?
        } else {
            self.walk(&regime, address).ok()?
        };
        Some(mapping.physical | u64::from(address & 0xfff))
    }

    /// Everything that is mapped; none while the MMU is off.
    pub(crate) fn ranges(&self, cpu: &Live<'_>) -> Option<Vec<Range>> {
        let regime = self.regime(cpu);
        let on = regime.sctlr & SCTLR_M != 0;
        on.then(|| ranges(&*self.ram, &regime, self.opaque.as_ref()))
    }

    /// The word of memory at a virtual address, a multiple of 4.
    pub(crate) fn word(&self, cpu: &Live<'_>, address: u32) -> Option<u32> {
        self.ram.word(self.locate(cpu, address)?)
    }

    /// Looks at the whole opaque range in the kernel's own tables.
    pub(crate) fn look_for_conflict(&mut self, cpu: &Live<'_>) {
        let (Some(opaque), Some(master)) = (&self.opaque, &self.master) else {
            return;
        };
        let regime = self.regime(cpu);
        if regime.sctlr & SCTLR_M == 0 {
            return;
        }
        let conflict = opaque
            .conflict(&*self.ram, master)
            .or_else(|| opaque.conflict(&*self.ram, &regime));
        self.news.conflict = self.news.conflict.or(conflict);
    }

    /// The host wrote to memory: code from there must be forgotten.
    pub(crate) fn written_by_host(&mut self, cpu: &Live<'_>, address: u64, length: u64) {
        let first = address & !(PAGE - 1);
        let fetched = (first..address.saturating_add(length))
            .step_by(PAGE as usize)
            .filter_map(|page| self.ram.page_of(page))
            .any(|page| self.state(page) & page::FETCHED != 0);
        if fetched {
            cpu.flush_code();
        }
    }

    fn look_for_conflict_at(&mut self, regime: &Regime, address: u32) {
        let mapped = |regime: &Regime| is_mapped(&*self.ram, regime, address) == Presence::Mapped;
        if mapped(regime) || self.master.as_ref().is_some_and(mapped) {
            self.news.conflict = self.news.conflict.or(Some(address));
        }
    }

    fn state(&self, page: u32) -> u8 {
        self.pages.get(page as usize).copied().unwrap_or(0)
    }

    /// The entry for an access that is allowed.
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, and all of them are at hand"
    )]
    fn grant(
        &mut self,
        cpu: &Live<'_>,
        count: &Count,
        address: u32,
        access: Access,
        mapping: &Mapping,
        rights: Rights,
        cpsr: u32,
    ) -> Result<Page, Fault> {
        let mut entry = Page {
            physical: mapping.physical,
            read: true,
            write: false,
            execute: false,
            page: 0,
            cpsr,
        };
        let Some(number) = self.ram.page_of(mapping.physical) else {
            // A chip, or nothing: not executable.
            if access == Access::Fetch {
                return Err(Fault {
                    status: Status::External,
                    domain: mapping.domain,
                });
            }
            entry.write = rights.write;
            return Ok(entry);
        };
        entry.page = number;
        let Some(state) = self.pages.get_mut(number as usize) else {
            return Err(Fault::new(Status::External));
        };
        match access {
            Access::Fetch => {
                if *state & page::FETCHED == 0 {
                    if *state & page::WRITTEN != 0 {
                        cpu.flush_tlb();
                    }
                    *state = *state & !page::WRITTEN | page::FETCHED;
                }
                entry.execute = true;
            }
            Access::Read if *state & page::FETCHED != 0 => entry.execute = rights.execute,
            // Most data that is read is written next.
            Access::Read => {
                entry.write = rights.write && (!self.tracks || self.ram.is_dirty(number));
                if entry.write {
                    *state |= page::WRITTEN;
                }
            }
            Access::Write => {
                entry.write = true;
                if *state & page::FETCHED != 0 {
                    // Not the page that the store itself is in.
                    let here = count.code_page(cpu.pc()) == Some(number);
                    let stays = *state >= page::TURNS;
                    // By an address that nothing may be executed at, it turns each time:
                    // an executable entry would let it be.
                    if here || stays && rights.execute {
                        entry.execute = true;
                    } else {
                        cpu.forget_code(address, mapping.physical);
                        cpu.flush_tlb();
                        let turn = if stays { 0 } else { page::TURN };
                        *state = ((*state & !page::FETCHED) + turn) | page::WRITTEN;
                    }
                } else {
                    *state |= page::WRITTEN;
                }
            }
        }
        if entry.write {
            self.ram.mark_dirty(number);
        }
        Ok(entry)
    }
}

fn identity(address: u32) -> Mapping {
    let all = Rights {
        read: true,
        write: true,
        execute: true,
    };
    Mapping {
        physical: u64::from(address),
        privileged: all,
        user: all,
        domain: 0,
        level: Level::First,
    }
}

/// Whether the access is made with the rights of user mode by an instruction of
/// a privileged mode.
fn is_unprivileged(cpu: &Live<'_>, count: &Count, cpsr: u32, access: Access) -> bool {
    if access == Access::Fetch {
        return false;
    }
    let pc = cpu.pc();
    let Some(first) = count.code_halfword(pc) else {
        return false;
    };
    let second = || count.code_halfword(pc.wrapping_add(2)).unwrap_or(0);
    if cpsr & psr::THUMB == 0 {
        operand::arm_is_unprivileged(u32::from(first) | u32::from(second()) << 16)
    } else {
        is_wide(first) && operand::thumb_is_unprivileged(first, second())
    }
}
