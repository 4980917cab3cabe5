//! Running guest code in Unicorn.

use linker::kernel::Kernel;
use linker::transplant::Transplant;
use unicorn_engine::{Arch, ArmCpuModel, Mode, Prot, RegisterARM, Unicorn};

const STACK: u64 = 0x1000_0000;
const RETURN: u64 = 0x1001_0000;
const BUDGET: usize = 10_000_000;

/// Maps the patched kernel and the driver, and calls what the kernel's word at
/// `place` points to with r0 to r3; gives r0 of the return.
pub(crate) fn call(
    kernel: &Kernel,
    transplant: &Transplant,
    place: u32,
    v7: bool,
    r: [u32; 4],
) -> u32 {
    let mut patched = kernel.clone();
    transplant
        .apply(&mut patched.bytes, patched.base)
        .expect("patches fit");
    let target = patched.word(place).expect("place is in the kernel");

    let mut cpu = Unicorn::new(Arch::ARM, Mode::ARM).expect("no Unicorn");
    let model = if v7 {
        ArmCpuModel::CORTEX_A15
    } else {
        ArmCpuModel::Model_926
    };
    cpu.ctl_set_cpu_model(model as i32).expect("no such model");
    let start = u64::from(kernel.base) & !0xfff;
    let end = u64::from(kernel.end()).next_multiple_of(0x1000);
    cpu.mem_map(start, end - start, Prot::ALL)
        .expect("kernel memory");
    cpu.mem_write(kernel.base.into(), &patched.bytes)
        .expect("kernel bytes");
    for segment in &transplant.opaque.segments {
        let rights = if segment.writable {
            Prot::READ | Prot::WRITE
        } else {
            Prot::READ | Prot::EXEC
        };
        cpu.mem_map(segment.va.into(), segment.size.into(), rights)
            .expect("opaque memory");
        cpu.mem_write(segment.va.into(), &segment.bytes)
            .expect("driver bytes");
    }
    cpu.mem_map(STACK, 0x1_0000, Prot::READ | Prot::WRITE)
        .expect("stack");
    cpu.mem_map(RETURN, 0x1000, Prot::READ | Prot::EXEC)
        .expect("return page");
    let registers = [
        RegisterARM::R0,
        RegisterARM::R1,
        RegisterARM::R2,
        RegisterARM::R3,
    ];
    for (register, value) in registers.into_iter().zip(r) {
        cpu.reg_write(register, value.into()).expect("register");
    }
    cpu.reg_write(RegisterARM::SP, STACK + 0x1_0000)
        .expect("register");
    cpu.reg_write(RegisterARM::LR, RETURN).expect("register");
    if let Err(error) = cpu.emu_start(target.into(), RETURN, 0, BUDGET) {
        let pc = cpu.reg_read(RegisterARM::PC).expect("register");
        panic!("the guest stopped at {pc:#x}: {error:?}");
    }
    assert_eq!(
        cpu.reg_read(RegisterARM::PC).expect("register"),
        RETURN,
        "budget used up"
    );
    cpu.reg_read(RegisterARM::R0).expect("register") as u32
}
