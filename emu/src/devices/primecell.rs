//! What ARM's PrimeCells have in common: 32-bit registers on a 4 KiB page and
//! eight identification registers at its end.

/// Offset of the first identification register, `PERIPHID0`.
const FIRST_ID: u32 = 0xfe0;
/// Offset of the last one, `PCELLID3`.
const LAST_ID: u32 = 0xffc;

/// The four `PCELLID` bytes, the same in every PrimeCell.
const PCELL_ID: [u8; 4] = [0x0d, 0xf0, 0x05, 0xb1];

/// The value of the identification register at `offset`, one byte of identity
/// a word, or `None` when there is none at this offset. `peripheral` is the
/// chip's own `PERIPHID0` to `PERIPHID3`.
pub(crate) fn identification(offset: u32, peripheral: [u8; 4]) -> Option<u32> {
    if !(FIRST_ID..=LAST_ID).contains(&offset) {
        return None;
    }
    let index = ((offset - FIRST_ID) / 4) as usize;
    let byte = peripheral
        .iter()
        .chain(&PCELL_ID)
        .nth(index)
        .copied()
        .unwrap_or(0);
    Some(u32::from(byte))
}

/// The part of a 32-bit register that an access of `size` bytes at `offset`
/// sees.
pub(crate) fn lanes(register: u32, offset: u32, size: u32) -> u32 {
    let shifted = register >> (8 * (offset & 3));
    match size {
        1 => shifted & 0xff,
        2 => shifted & 0xffff,
        _ => shifted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_identification_bytes() {
        let bytes: Vec<u32> = (0xfe0..0x1000)
            .step_by(4)
            .filter_map(|offset| identification(offset, [0x90, 0x11, 0x04, 0x00]))
            .collect();
        assert_eq!(bytes, [0x90, 0x11, 0x04, 0, 0x0d, 0xf0, 0x05, 0xb1]);
        assert_eq!(identification(0xfdc, [0; 4]), None);
        assert_eq!(identification(0x1000, [0; 4]), None);
    }

    #[test]
    fn test_lanes() {
        assert_eq!(lanes(0x1122_3344, 0, 4), 0x1122_3344);
        assert_eq!(lanes(0x1122_3344, 0, 1), 0x44);
        assert_eq!(lanes(0x1122_3344, 2, 2), 0x1122);
        assert_eq!(lanes(0x1122_3344, 3, 1), 0x11);
    }
}
