//! Memory of the guest, read and written by the host.

use super::{Error, Machine};
use crate::cpu::ram::PAGE;

impl Machine {
    /// Reads memory by virtual address, as privileged code would.
    ///
    /// # Errors
    /// When a part of it is not mapped, or not to memory.
    pub fn read_virtual(&self, va: u32, into: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while done < into.len() {
            let (physical, length) = self.locate(va, done, into.len())?;
            if !self
                .engine
                .ram()
                .read(physical, &mut into[done..done + length])
            {
                return Err(address_error(va, into.len()));
            }
            done += length;
        }
        Ok(())
    }

    /// The little-endian word at a virtual address; none where
    /// [`read_virtual`](Self::read_virtual) fails.
    pub fn word(&self, va: u32) -> Option<u32> {
        let mut bytes = [0; 4];
        self.read_virtual(va, &mut bytes).ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    /// Writes memory by virtual address, whatever its permissions.
    ///
    /// # Errors
    /// When a part of it is not mapped, or not to memory. What comes before
    /// that part is written.
    pub fn write_virtual(&mut self, va: u32, from: &[u8]) -> Result<(), Error> {
        let mut done = 0;
        while done < from.len() {
            let (physical, length) = self.locate(va, done, from.len())?;
            if !self
                .engine
                .ram()
                .write(physical, &from[done..done + length])
            {
                return Err(address_error(va, from.len()));
            }
            let (guest, _, cpu) = self.engine.parts();
            guest.mmu.written_by_host(&cpu, physical, length as u64);
            done += length;
        }
        Ok(())
    }

    /// The physical address behind a virtual one, whether or not there is memory.
    pub fn physical(&self, va: u32) -> Option<u64> {
        self.engine.host().mmu.locate(&self.engine.live(), va)
    }

    /// The part of `va + done ..  va + total` that is in one page.
    fn locate(&self, va: u32, done: usize, total: usize) -> Result<(u64, usize), Error> {
        let error = || address_error(va, total);
        let at = u32::try_from(done)
            .ok()
            .and_then(|done| va.checked_add(done))
            .ok_or_else(error)?;
        let mmu = &self.engine.host().mmu;
        let physical = mmu.locate(&self.engine.live(), at).ok_or_else(error)?;
        let room = PAGE as usize - (at as usize & 0xfff);
        Ok((physical, room.min(total - done)))
    }

    /// Reads memory by physical address.
    ///
    /// # Errors
    /// When it is not all inside one bank.
    pub fn read_physical(&self, address: u32, into: &mut [u8]) -> Result<(), Error> {
        if self.engine.ram().read(u64::from(address), into) {
            Ok(())
        } else {
            Err(address_error(address, into.len()))
        }
    }

    /// Writes memory by physical address.
    ///
    /// # Errors
    /// When it is not all inside one bank; nothing is written then.
    pub fn write_physical(&mut self, address: u32, from: &[u8]) -> Result<(), Error> {
        if !self.engine.ram().write(u64::from(address), from) {
            return Err(address_error(address, from.len()));
        }
        let (guest, _, cpu) = self.engine.parts();
        let length = from.len() as u64;
        guest.mmu.written_by_host(&cpu, u64::from(address), length);
        Ok(())
    }
}

fn address_error(address: u32, size: usize) -> Error {
    Error::Address { address, size }
}
