//! The account of accesses to physical addresses where nothing is. They read 0
//! and write nothing; which ones a kernel makes tells what it waits for.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Different ones that are told apart.
const LIMIT: usize = 4096;

/// Accesses of one instruction to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unassigned {
    /// The physical address.
    pub address: u32,
    /// The virtual address of the instruction; 0 when the address is in a
    /// chip's page but not one of its registers.
    pub pc: u32,
    /// How often it was read.
    pub reads: u64,
    /// How often it was written.
    pub writes: u64,
}

/// The account: bounded, however long the guest runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    entries: HashMap<(u32, u32), (u64, u64)>,
    /// Accesses that did not fit in.
    overflow: u64,
    reads: u64,
}

impl Account {
    pub(crate) fn note(&mut self, address: u32, pc: u32, write: bool) {
        self.reads = self.reads.saturating_add(u64::from(!write));
        let full = self.entries.len() >= LIMIT;
        let key = (address, pc);
        if full && !self.entries.contains_key(&key) {
            self.overflow = self.overflow.saturating_add(1);
            return;
        }
        let (reads, writes) = self.entries.entry(key).or_default();
        let count = if write { writes } else { reads };
        *count = count.saturating_add(1);
    }

    /// All entries, by address and then program counter.
    pub(crate) fn list(&self) -> Vec<Unassigned> {
        let mut list: Vec<Unassigned> = self
            .entries
            .iter()
            .map(|(&(address, pc), &(reads, writes))| Unassigned {
                address,
                pc,
                reads,
                writes,
            })
            .collect();
        list.sort_unstable();
        list
    }

    /// All reads.
    pub(crate) fn reads(&self) -> u64 {
        self.reads
    }

    pub(crate) fn overflow(&self) -> u64 {
        self.overflow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_told_apart_by_address_and_instruction() {
        let mut account = Account::default();
        account.note(0x1000, 0x8000, false);
        account.note(0x1000, 0x8000, false);
        account.note(0x1000, 0x8000, true);
        account.note(0x1000, 0x7000, false);
        let entry = |pc, reads, writes| Unassigned {
            address: 0x1000,
            pc,
            reads,
            writes,
        };
        assert_eq!(account.list(), [entry(0x7000, 1, 0), entry(0x8000, 2, 1)]);
    }

    #[test]
    fn the_account_is_bounded() {
        let mut account = Account::default();
        for address in 0..5000 {
            account.note(address, 0, false);
        }
        account.note(0, 0, false);
        assert_eq!(account.list().len(), LIMIT);
        assert_eq!(account.overflow(), 5000 - LIMIT as u64);
        assert_eq!(account.list()[0].reads, 2);
    }
}
