//! No chip at all: for code that needs a processor and memory only, such as what
//! unpacks a self-extracting kernel.

use serde::{Deserialize, Serialize};

use super::Wiring;
use super::registers::View;
use crate::clock::Time;

/// A board that is empty.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bare;

impl Wiring for Bare {
    fn pages(&self) -> Vec<u32> {
        Vec::new()
    }

    fn read(&mut self, _address: u32, _size: u32, _now: Time) -> Option<u32> {
        None
    }

    fn write(&mut self, _address: u32, _size: u32, _value: u32, _now: Time) -> bool {
        false
    }

    fn advance(&mut self, _now: Time) {}

    fn next_event(&self) -> Option<Time> {
        None
    }

    fn irq(&self) -> bool {
        false
    }

    fn fiq(&self) -> bool {
        false
    }

    fn timer_irq(&self) -> bool {
        false
    }

    fn take_output(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn has_output(&self) -> bool {
        false
    }

    fn push_input(&mut self, _bytes: &[u8], _now: Time) -> usize {
        0
    }

    fn reset_asked(&self) -> bool {
        false
    }

    fn views(&self) -> Vec<View> {
        Vec::new()
    }
}
