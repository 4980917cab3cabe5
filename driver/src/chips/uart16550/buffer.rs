//! The ring of characters that the serial core wants sent: a `struct circ_buf`
//! in `uart_state` to 6.9, a `struct kfifo` in its `tty_port` since.

use crate::kernel::serial::{TtyPort, UartPort, UartState, XMIT_SIZE};

/// A ring in the kernel's memory.
pub(super) struct Ring {
    data: *const u8,
    /// Where the core puts the next character.
    head: u32,
    /// Where the next one to send is.
    tail: u32,
    /// Bytes less one.
    mask: u32,
    /// Where the core wants `tail` to be written back.
    place: *mut u32,
}

impl Ring {
    /// The ring of a port; None while it is not open.
    ///
    /// # Safety
    ///
    /// `port` must be one that the serial core has taken on, and its lock be
    /// held (or interrupts be off, on one processor).
    pub(super) unsafe fn of(port: *mut UartPort) -> Option<Ring> {
        // SAFETY: the caller vouches for the port; what it points to are the
        // core's own structs, which live as long as the port, and the layouts
        // are those of this kernel. Every word read is aligned.
        unsafe {
            let state = UartPort::state().get(port);
            if state.is_null() {
                return None;
            }
            let ring = if let (Some(buf), Some(head), Some(tail)) = (
                UartState::xmit_buf(),
                UartState::xmit_head(),
                UartState::xmit_tail(),
            ) {
                Ring {
                    data: buf.get(state),
                    head: head.get(state),
                    tail: tail.get(state),
                    mask: XMIT_SIZE - 1,
                    place: tail.of(state),
                }
            } else {
                // include/linux/kfifo.h, struct __kfifo: unsigned int in, out,
                // mask, esize; void *data.
                let fifo = TtyPort::xmit_fifo()?;
                let words = fifo.of(UartState::port()?.of(state)).cast::<u32>();
                Ring {
                    data: core::ptr::with_exposed_provenance(words.add(4).read() as usize),
                    head: words.read(),
                    tail: words.add(1).read(),
                    mask: words.add(2).read(),
                    place: words.add(1),
                }
            };
            (!ring.data.is_null()).then_some(ring)
        }
    }

    /// How many characters wait.
    ///
    /// A `circ_buf`'s ends stay below its size, a `kfifo`'s run freely: the
    /// difference is right for both, but for a full `kfifo`.
    pub(super) fn len(&self) -> u32 {
        let difference = self.head.wrapping_sub(self.tail);
        match difference == self.mask.wrapping_add(1) {
            true => difference,
            false => difference & self.mask,
        }
    }

    /// Takes the next character.
    pub(super) fn take(&mut self) -> Option<u8> {
        if self.len() == 0 {
            return None;
        }
        // SAFETY: the index is within the ring, which the core allocated with
        // this size; `place` is a word of the core's.
        unsafe {
            let character = self.data.add((self.tail & self.mask) as usize).read();
            self.tail = self.tail.wrapping_add(1);
            if UartState::xmit_buf().is_some() {
                self.tail &= self.mask;
            }
            self.place.write(self.tail);
            Some(character)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(head: u32, tail: u32) -> Ring {
        Ring {
            data: core::ptr::null(),
            head,
            tail,
            mask: 15,
            place: core::ptr::null_mut(),
        }
    }

    #[test]
    fn what_waits_is_between_the_ends() {
        assert_eq!(ring(0, 0).len(), 0);
        assert_eq!(ring(5, 2).len(), 3);
        // A circ_buf that has wrapped.
        assert_eq!(ring(1, 14).len(), 3);
        // A kfifo that has counted far, and a full one.
        assert_eq!(ring(2, u32::MAX - 1).len(), 4);
        assert_eq!(ring(20, 4).len(), 16);
    }
}
