//! What is taken for granted of a kernel's configuration.
//!
//! The rest is not known, and what depends on it is conditional.

/// Set in every kernel that this program is for.
const ON: &[&str] = &[
    "CONFIG_ARM",
    "CONFIG_MMU",
    "CONFIG_PRINTK",
    "CONFIG_BUG",
    "CONFIG_GENERIC_HARDIRQS",
    "CONFIG_FLATMEM_NODE_MEM_MAP",
    "CONFIG_HAVE_ARCH_BUG",
];

/// Set in none, or in none that anybody ships: other machines, and checks that
/// make a kernel several times slower.
const OFF: &[&str] = &[
    "CONFIG_64BIT",
    "CONFIG_ARM64",
    "CONFIG_ACPI",
    "CONFIG_NUMA",
    "CONFIG_EISA",
    "CONFIG_MCA",
    "CONFIG_UML",
    "CONFIG_COMPAT",
    "CONFIG_XEN",
    "CONFIG_LOCKDEP",
    "CONFIG_PROVE_LOCKING",
    "CONFIG_PROVE_RCU",
    "CONFIG_DEBUG_LOCK_ALLOC",
    "CONFIG_DEBUG_LOCKDEP",
    "CONFIG_KASAN",
    "CONFIG_KASAN_GENERIC",
    "CONFIG_KASAN_SW_TAGS",
    "CONFIG_KASAN_HW_TAGS",
    "CONFIG_KMSAN",
    "CONFIG_KCSAN",
    "CONFIG_KMEMCHECK",
    "CONFIG_UBSAN",
    "CONFIG_DEBUG_OBJECTS",
    "CONFIG_DEBUG_OBJECTS_TIMERS",
    "CONFIG_DEBUG_OBJECTS_WORK",
    "CONFIG_PREEMPT_RT",
    "CONFIG_PREEMPT_RT_FULL",
    "CONFIG_TRACE_BRANCH_PROFILING",
    "CONFIG_PROFILE_ALL_BRANCHES",
    "CONFIG_FAULT_INJECTION",
    "CONFIG_FAIL_PAGE_ALLOC",
    "CONFIG_FAILSLAB",
    "CONFIG_KGDB_KDB",
    "CONFIG_MEMORY_HOTPLUG",
    "CONFIG_SLOB",
    "CONFIG_SLUB_TINY",
    "CONFIG_SYMBOLIC_ERRNAME",
    "CONFIG_GENERIC_PENDING_IRQ",
];

/// How the options of other machines begin.
const OTHERS: &[&str] = &[
    "CONFIG_X86",
    "CONFIG_PPC",
    "CONFIG_MIPS",
    "CONFIG_S390",
    "CONFIG_SPARC",
    "CONFIG_IA64",
    "CONFIG_ALPHA",
    "CONFIG_M68K",
    "CONFIG_PARISC",
    "CONFIG_RISCV",
    "CONFIG_LOONGARCH",
    "CONFIG_SUPERH",
];

/// Macros of the compiler whose value depends on the configuration.
pub(super) const COMPILER: &[&str] = &["__LINUX_ARM_ARCH__", "__OPTIMIZE_SIZE__"];

/// Whether an option is set; None if that is not known.
pub(super) fn option(name: &str) -> Option<bool> {
    let known = ["_MODULE", ""].iter().find_map(|end| {
        let name = name.strip_suffix(end)?;
        let off = OFF.contains(&name) || OTHERS.iter().any(|other| name.starts_with(other));
        let on = end.is_empty() && ON.contains(&name);
        (off || on).then_some(on)
    });
    known.filter(|_| name.starts_with("CONFIG_"))
}

#[cfg(test)]
mod tests {
    use super::option;

    #[test]
    fn what_is_not_listed_is_not_known() {
        assert_eq!(option("CONFIG_ARM"), Some(true));
        assert_eq!(option("CONFIG_X86_64"), Some(false));
        assert_eq!(option("CONFIG_X86_MODULE"), Some(false));
        assert_eq!(option("CONFIG_SMP"), None);
        assert_eq!(option("CONFIG_MMU_MODULE"), None);
    }
}
