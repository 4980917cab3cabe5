/* What these macros stand for when the source of a kernel is read for facts,
 * whatever the kernel's own headers say. Three reasons: the kernel's text is
 * long and comes down to little; it depends on checks that kernels in the field
 * do not have; or the fact is of a kind of its own (WARN_ON).
 *
 * __ecmo_maybe(x)   x depends on the configuration
 * __ecmo_fixed      a constant that the source alone does not tell
 * __ecmo_warn(..)   a place that warns: file, line, last line, condition
 * any other         does something with its arguments, nothing more is known
 */
#define WARN_ON(condition) __ecmo_warn(__FILE__, __LINE__, __ECMO_END_LINE__, condition)
#define WARN_ON_ONCE(condition) __ecmo_warn_once(__FILE__, __LINE__, __ECMO_END_LINE__, condition)
#define WARN(condition, ...) __ecmo_warnf(__FILE__, __LINE__, __ECMO_END_LINE__, condition, __VA_ARGS__)
#define WARN_ONCE(condition, ...) __ecmo_warnf_once(__FILE__, __LINE__, __ECMO_END_LINE__, condition, __VA_ARGS__)
#define WARN_TAINT(condition, taint, ...) __ecmo_warnf(__FILE__, __LINE__, __ECMO_END_LINE__, condition, __VA_ARGS__)
#define WARN_TAINT_ONCE(condition, taint, ...) __ecmo_warnf_once(__FILE__, __LINE__, __ECMO_END_LINE__, condition, __VA_ARGS__)
#define WARN_ON_SMP(condition) __ecmo_maybe(__ecmo_warn(__FILE__, __LINE__, __ECMO_END_LINE__, condition))
#define BUG() __ecmo_bug(__FILE__, __LINE__, __ECMO_END_LINE__)
#define BUG_ON(condition) __ecmo_bug(__FILE__, __LINE__, __ECMO_END_LINE__, condition)
#define VM_BUG_ON(condition) __ecmo_maybe(condition)
#define VM_BUG_ON_PAGE(condition, page) __ecmo_maybe(condition)
#define VM_BUG_ON_FOLIO(condition, folio) __ecmo_maybe(condition)
#define VM_WARN_ON(condition) __ecmo_maybe(condition)
#define VM_WARN_ON_ONCE(condition) __ecmo_maybe(condition)
#define DEBUG_NET_WARN_ON_ONCE(condition) __ecmo_maybe(condition)
#define DEBUG_LOCKS_WARN_ON(condition) __ecmo_maybe(condition)
#define BUILD_BUG_ON(condition) 0
#define BUILD_BUG_ON_MSG(condition, message) 0
#define BUILD_BUG_ON_ZERO(condition) 0
#define BUILD_BUG_ON_INVALID(condition) 0
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) 0
#define BUILD_BUG() 0
#define MAYBE_BUILD_BUG_ON(condition) 0
#define compiletime_assert(condition, message) 0
#define compiletime_assert_atomic_type(t) 0
#define compiletime_assert_rwonce_type(t) 0
#define static_assert(...) 0
#define _Static_assert(...) 0

#define likely(x) (x)
#define unlikely(x) (x)
#define likely_notrace(x) (x)
#define unlikely_notrace(x) (x)
#define barrier() 0
#define barrier_data(p) 0
#define mb() 0
#define rmb() 0
#define wmb() 0
#define smp_mb() 0
#define smp_rmb() 0
#define smp_wmb() 0
#define dma_rmb() 0
#define dma_wmb() 0
#define smp_mb__before_atomic() 0
#define smp_mb__after_atomic() 0
#define smp_mb__after_spinlock() 0
#define smp_mb__before_clear_bit() 0
#define smp_mb__after_clear_bit() 0
#define read_barrier_depends() 0
#define smp_read_barrier_depends() 0
#define cpu_relax() 0
#define set_mb(v, x) ((v) = (x))
#define smp_store_mb(v, x) ((v) = (x))
#define READ_ONCE(x) (x)
#define READ_ONCE_NOCHECK(x) (x)
#define __READ_ONCE(x) (x)
#define WRITE_ONCE(x, v) ((x) = (v))
#define __WRITE_ONCE(x, v) ((x) = (v))
#define ACCESS_ONCE(x) (x)
#define data_race(x) (x)
#define smp_load_acquire(p) (*(p))
#define smp_store_release(p, v) (*(p) = (v))
#define smp_cond_load_relaxed(p, c) __ecmo_use(*(p))
#define smp_cond_load_acquire(p, c) __ecmo_use(*(p))
#define xchg(p, v) __ecmo_use(*(p), v)
#define cmpxchg(p, o, n) __ecmo_use(*(p), o, n)
#define try_cmpxchg(p, o, n) __ecmo_use(*(p), *(o), n)
#define container_of(p, type, member) ((void *)__ecmo_use(p))
#define container_of_const(p, type, member) ((void *)__ecmo_use(p))
#define offsetof(type, member) __ecmo_fixed
#define offsetofend(type, member) __ecmo_fixed
#define sizeof_field(type, member) __ecmo_fixed
#define FIELD_SIZEOF(type, member) __ecmo_fixed
#define struct_size(p, member, n) __ecmo_use(n)
#define struct_size_t(type, member, n) __ecmo_use(n)
#define flex_array_size(p, member, n) __ecmo_use(n)
#define ARRAY_SIZE(x) __ecmo_fixed
#define __must_be_array(x) 0
#define __same_type(a, b) __ecmo_fixed
#define swap(a, b) __ecmo_use(a, b)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define umin(a, b) ((a) < (b) ? (a) : (b))
#define umax(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) ((a) < (b) ? (a) : (b))
#define max_t(type, a, b) ((a) > (b) ? (a) : (b))
#define min3(a, b, c) __ecmo_use(a, b, c)
#define max3(a, b, c) __ecmo_use(a, b, c)
#define min_not_zero(a, b) __ecmo_use(a, b)
#define clamp(v, lo, hi) __ecmo_use(v, lo, hi)
#define clamp_t(type, v, lo, hi) __ecmo_use(v, lo, hi)
#define clamp_val(v, lo, hi) __ecmo_use(v, lo, hi)
#define GENMASK(h, l) ((0xffffffff << (l)) & (0xffffffff >> (31 - (h))))
#define check_add_overflow(a, b, d) __ecmo_use(a, b, d)
#define check_sub_overflow(a, b, d) __ecmo_use(a, b, d)
#define check_mul_overflow(a, b, d) __ecmo_use(a, b, d)
#define do_div(n, base) ((n) = __ecmo_use(n, base))
#define typecheck(type, x) 1
#define typecheck_fn(type, f) 1
#define alloc_hooks(x) (x)
#define unsafe_memcpy(d, s, n, why) memcpy(d, s, n)

#define cpu_possible_mask ((struct cpumask *)__ecmo_use())
#define cpu_online_mask ((struct cpumask *)__ecmo_use())
#define cpu_present_mask ((struct cpumask *)__ecmo_use())
#define cpu_active_mask ((struct cpumask *)__ecmo_use())
#define current ((void *)__ecmo_use())
#define get_current() ((void *)__ecmo_use())
#define current_thread_info() ((struct thread_info *)__ecmo_use())
#define smp_processor_id() __ecmo_use()
#define raw_smp_processor_id() __ecmo_use()
#define __smp_processor_id() __ecmo_use()
#define get_cpu() __ecmo_use()
#define put_cpu() 0
#define per_cpu(v, cpu) __ecmo_use(cpu)
#define per_cpu_ptr(p, cpu) ((void *)__ecmo_use(cpu))
#define get_cpu_var(v) __ecmo_use()
#define put_cpu_var(v) 0
#define get_cpu_ptr(p) ((void *)__ecmo_use())
#define put_cpu_ptr(p) 0
#define __get_cpu_var(v) __ecmo_use()
#define __raw_get_cpu_var(v) __ecmo_use()
#define this_cpu_ptr(p) ((void *)__ecmo_use())
#define raw_cpu_ptr(p) ((void *)__ecmo_use())
#define __this_cpu_ptr(p) ((void *)__ecmo_use())
#define this_cpu_read(v) __ecmo_use()
#define __this_cpu_read(v) __ecmo_use()
#define raw_cpu_read(v) __ecmo_use()
#define this_cpu_write(v, x) __ecmo_use(x)
#define __this_cpu_write(v, x) __ecmo_use(x)
#define raw_cpu_write(v, x) __ecmo_use(x)
#define this_cpu_add(v, x) __ecmo_use(x)
#define __this_cpu_add(v, x) __ecmo_use(x)
#define this_cpu_sub(v, x) __ecmo_use(x)
#define __this_cpu_sub(v, x) __ecmo_use(x)
#define this_cpu_inc(v) __ecmo_use()
#define __this_cpu_inc(v) __ecmo_use()
#define this_cpu_dec(v) __ecmo_use()
#define __this_cpu_dec(v) __ecmo_use()
#define this_cpu_or(v, x) __ecmo_use(x)
#define __this_cpu_or(v, x) __ecmo_use(x)
#define this_cpu_and(v, x) __ecmo_use(x)
#define __this_cpu_and(v, x) __ecmo_use(x)
#define this_cpu_xchg(v, x) __ecmo_use(x)
#define __this_cpu_xchg(v, x) __ecmo_use(x)
#define this_cpu_cmpxchg(v, o, n) __ecmo_use(o, n)
#define __this_cpu_inc_return(v) __ecmo_use()
#define __this_cpu_dec_return(v) __ecmo_use()
#define this_cpu_inc_return(v) __ecmo_use()
#define this_cpu_dec_return(v) __ecmo_use()

#define spin_lock(l) __ecmo_maybe(l)
#define spin_unlock(l) __ecmo_maybe(l)
#define spin_lock_bh(l) __ecmo_maybe(l)
#define spin_unlock_bh(l) __ecmo_maybe(l)
#define spin_lock_irq(l) __ecmo_maybe(l)
#define spin_unlock_irq(l) __ecmo_maybe(l)
#define spin_lock_irqsave(l, flags) __ecmo_maybe(l)
#define spin_unlock_irqrestore(l, flags) __ecmo_maybe(l)
#define spin_lock_irqsave_nested(l, flags, class) __ecmo_maybe(l)
#define spin_lock_nested(l, class) __ecmo_maybe(l)
#define spin_trylock(l) __ecmo_maybe(l)
#define spin_trylock_irq(l) __ecmo_maybe(l)
#define spin_trylock_irqsave(l, flags) __ecmo_maybe(l)
#define spin_trylock_bh(l) __ecmo_maybe(l)
#define spin_is_locked(l) __ecmo_maybe(l)
#define assert_spin_locked(l) 0
#define assert_raw_spin_locked(l) 0
#define spin_unlock_wait(l) __ecmo_maybe(l)
#define spin_lock_init(l) __ecmo_maybe(l)
#define raw_spin_lock(l) __ecmo_maybe(l)
#define raw_spin_unlock(l) __ecmo_maybe(l)
#define raw_spin_lock_irq(l) __ecmo_maybe(l)
#define raw_spin_unlock_irq(l) __ecmo_maybe(l)
#define raw_spin_lock_irqsave(l, flags) __ecmo_maybe(l)
#define raw_spin_unlock_irqrestore(l, flags) __ecmo_maybe(l)
#define raw_spin_lock_nested(l, class) __ecmo_maybe(l)
#define raw_spin_lock_irqsave_nested(l, flags, class) __ecmo_maybe(l)
#define raw_spin_trylock(l) __ecmo_maybe(l)
#define raw_spin_trylock_irqsave(l, flags) __ecmo_maybe(l)
#define raw_spin_is_locked(l) __ecmo_maybe(l)
#define raw_spin_lock_init(l) __ecmo_maybe(l)
#define read_lock(l) __ecmo_maybe(l)
#define read_unlock(l) __ecmo_maybe(l)
#define write_lock(l) __ecmo_maybe(l)
#define write_unlock(l) __ecmo_maybe(l)
#define read_lock_irq(l) __ecmo_maybe(l)
#define read_unlock_irq(l) __ecmo_maybe(l)
#define write_lock_irq(l) __ecmo_maybe(l)
#define write_unlock_irq(l) __ecmo_maybe(l)
#define read_lock_bh(l) __ecmo_maybe(l)
#define read_unlock_bh(l) __ecmo_maybe(l)
#define write_lock_bh(l) __ecmo_maybe(l)
#define write_unlock_bh(l) __ecmo_maybe(l)
#define read_lock_irqsave(l, flags) __ecmo_maybe(l)
#define read_unlock_irqrestore(l, flags) __ecmo_maybe(l)
#define write_lock_irqsave(l, flags) __ecmo_maybe(l)
#define write_unlock_irqrestore(l, flags) __ecmo_maybe(l)
#define seqlock_init(l) __ecmo_maybe(l)
#define read_seqbegin(l) __ecmo_use(l)
#define read_seqretry(l, s) __ecmo_use(l)
#define read_seqcount_begin(l) __ecmo_maybe(l)
#define read_seqcount_retry(l, s) __ecmo_maybe(l)
#define raw_read_seqcount_latch(l) __ecmo_maybe(l)
#define raw_write_seqcount_latch(l) __ecmo_maybe(l)
#define write_seqlock(l) __ecmo_maybe(l)
#define write_sequnlock(l) __ecmo_maybe(l)
#define write_seqlock_irq(l) __ecmo_maybe(l)
#define write_sequnlock_irq(l) __ecmo_maybe(l)
#define write_seqlock_irqsave(l, flags) __ecmo_maybe(l)
#define write_sequnlock_irqrestore(l, flags) __ecmo_maybe(l)
#define write_seqcount_begin(l) __ecmo_maybe(l)
#define write_seqcount_end(l) __ecmo_maybe(l)
#define local_irq_save(flags) 0
#define local_irq_restore(flags) 0
#define local_irq_enable() 0
#define local_irq_disable() 0
#define raw_local_irq_save(flags) 0
#define raw_local_irq_restore(flags) 0
#define raw_local_irq_enable() 0
#define raw_local_irq_disable() 0
#define local_save_flags(flags) 0
#define raw_local_save_flags(flags) 0
#define irqs_disabled() __ecmo_use()
#define irqs_disabled_flags(flags) __ecmo_use()
#define raw_irqs_disabled() __ecmo_use()
#define raw_irqs_disabled_flags(flags) __ecmo_use()
#define local_fiq_enable() 0
#define local_fiq_disable() 0
#define preempt_disable() 0
#define preempt_enable() __ecmo_maybe(preempt_schedule())
#define preempt_enable_no_resched() 0
#define preempt_enable_notrace() 0
#define preempt_disable_notrace() 0
#define preempt_check_resched() __ecmo_maybe(preempt_schedule())
#define sched_preempt_enable_no_resched() 0
#define preempt_count() __ecmo_use()
#define preempt_count_add(n) 0
#define preempt_count_sub(n) 0
#define __preempt_count_add(n) 0
#define __preempt_count_sub(n) 0
#define add_preempt_count(n) 0
#define sub_preempt_count(n) 0
#define in_interrupt() __ecmo_use()
#define in_irq() __ecmo_use()
#define in_hardirq() __ecmo_use()
#define in_softirq() __ecmo_use()
#define in_serving_softirq() __ecmo_use()
#define in_nmi() __ecmo_use()
#define in_task() __ecmo_use()
#define in_atomic() __ecmo_use()
#define might_sleep() __ecmo_maybe(__might_sleep())
#define might_sleep_if(condition) __ecmo_maybe(__might_sleep(), condition)
#define might_fault() 0
#define might_alloc(flags) 0
#define might_lock(l) 0
#define cant_sleep() 0
#define cond_resched() __ecmo_maybe(_cond_resched())
#define non_block_start() 0
#define non_block_end() 0
#define rcu_read_lock() 0
#define rcu_read_unlock() 0
#define rcu_read_lock_bh() 0
#define rcu_read_unlock_bh() 0
#define rcu_read_lock_sched() 0
#define rcu_read_unlock_sched() 0
#define rcu_dereference(p) (p)
#define rcu_dereference_raw(p) (p)
#define rcu_dereference_check(p, c) (p)
#define rcu_dereference_protected(p, c) (p)
#define rcu_dereference_bh(p) (p)
#define rcu_dereference_rtnl(p) (p)
#define rcu_dereference_sched(p) (p)
#define rcu_access_pointer(p) (p)
#define rcu_assign_pointer(p, v) ((p) = (v))
#define rtnl_dereference(p) (p)
#define RCU_INIT_POINTER(p, v) ((p) = (v))
#define RCU_LOCKDEP_WARN(c, s) 0
#define rcu_lockdep_assert(c, s) 0
#define lockdep_assert(c) 0
#define lockdep_assert_once(c) 0
#define lockdep_assert_held(l) 0
#define lockdep_assert_held_once(l) 0
#define lockdep_assert_held_write(l) 0
#define lockdep_assert_not_held(l) 0
#define lockdep_assert_none_held_once() 0
#define lockdep_assert_irqs_enabled() 0
#define lockdep_assert_irqs_disabled() 0
#define lockdep_assert_in_irq() 0
#define lockdep_assert_in_softirq() 0
#define lockdep_assert_no_hardirq() 0
#define lockdep_assert_preemption_enabled() 0
#define lockdep_assert_preemption_disabled() 0
#define lockdep_assert_cpus_held() 0
#define lockdep_set_class(l, k) 0
#define lockdep_set_class_and_name(l, k, n) 0
#define lockdep_set_subclass(l, s) 0
#define lockdep_set_novalidate_class(l) 0
#define lockdep_init_map(...) 0
#define lock_map_acquire(l) 0
#define lock_map_release(l) 0
#define lock_map_acquire_read(l) 0
#define lockdep_softirq_enter() 0
#define lockdep_softirq_exit() 0
#define lockdep_hardirq_enter() 0
#define lockdep_hardirq_exit() 0
#define lockdep_hardirqs_on_prepare() 0
#define debug_check_no_locks_freed(p, n) 0
#define instrumentation_begin() 0
#define instrumentation_end() 0
#define kasan_check_read(p, n) 0
#define kasan_check_write(p, n) 0
#define kmsan_unpoison_memory(p, n) 0
#define kmsan_check_memory(p, n) 0
#define trace_hardirqs_on() __ecmo_maybe(trace_hardirqs_on())
#define trace_hardirqs_off() __ecmo_maybe(trace_hardirqs_off())
#define context_unsafe(x) x

#define guard(kind) __ecmo_guard_##kind
#define scoped_guard(kind, ...) if (__ecmo_use(__VA_ARGS__))
#define scoped_cond_guard(kind, fail, ...) if (__ecmo_use(__VA_ARGS__))
#define scoped_irqdesc_get_and_lock(irq, check) if (__irq_get_desc_lock(irq, 0, 0, check), __irq_put_desc_unlock(0, 0, 0), __ecmo_use())
#define scoped_irqdesc_get_and_buslock(irq, check) if (__irq_get_desc_lock(irq, 0, 1, check), __irq_put_desc_unlock(0, 0, 1), __ecmo_use())
#define scoped_irqdesc ((struct irq_desc *)__ecmo_use())
#define CLASS(kind, name) int name = __ecmo_class_##kind
#define __free(kind)
#define no_free_ptr(p) (p)
#define retain_and_null_ptr(p) (p)
#define return_ptr(p) return (p)

#define pr_debug(format, ...) __ecmo_maybe(printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__))
#define pr_devel(format, ...) __ecmo_maybe(printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__))
#define pr_debug_once(format, ...) __ecmo_maybe(printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__))
#define pr_debug_ratelimited(format, ...) __ecmo_maybe(printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__))
#define dev_dbg(device, format, ...) __ecmo_maybe(printk(format, device, ##__VA_ARGS__))
#define dev_vdbg(device, format, ...) __ecmo_maybe(printk(format, device, ##__VA_ARGS__))
#define dev_dbg_once(device, format, ...) __ecmo_maybe(printk(format, device, ##__VA_ARGS__))
#define dev_dbg_ratelimited(device, format, ...) __ecmo_maybe(printk(format, device, ##__VA_ARGS__))
#define netdev_dbg(device, format, ...) __ecmo_maybe(printk(format, device, ##__VA_ARGS__))
#define netif_dbg(p, type, device, format, ...) __ecmo_maybe(printk(format, device, ##__VA_ARGS__))
#define no_printk(format, ...) 0
#define printk_index_wrap(function, format, ...) function(format, ##__VA_ARGS__)
#define printk_index_subsys_emit(...) 0
#define dev_printk_index_wrap(function, level, device, format, ...) function(device, format, ##__VA_ARGS__)
#define pr_err_once(format, ...) printk(KERN_ERR pr_fmt(format), ##__VA_ARGS__)
#define pr_warn_once(format, ...) printk(KERN_WARNING pr_fmt(format), ##__VA_ARGS__)
#define pr_notice_once(format, ...) printk(KERN_NOTICE pr_fmt(format), ##__VA_ARGS__)
#define pr_info_once(format, ...) printk(KERN_INFO pr_fmt(format), ##__VA_ARGS__)
#define printk_once(format, ...) printk(format, ##__VA_ARGS__)
#define trace_printk(...) 0
#define ftrace_vprintk(...) 0
#define DYNAMIC_DEBUG_BRANCH(x) __ecmo_config

#define readb(p) __ecmo_use(p)
#define readw(p) __ecmo_use(p)
#define readl(p) __ecmo_use(p)
#define readb_relaxed(p) __ecmo_use(p)
#define readw_relaxed(p) __ecmo_use(p)
#define readl_relaxed(p) __ecmo_use(p)
#define writeb(v, p) __ecmo_use(v, p)
#define writew(v, p) __ecmo_use(v, p)
#define writel(v, p) __ecmo_use(v, p)
#define writeb_relaxed(v, p) __ecmo_use(v, p)
#define writew_relaxed(v, p) __ecmo_use(v, p)
#define writel_relaxed(v, p) __ecmo_use(v, p)
#define __raw_readl(p) __ecmo_use(p)
#define __raw_writel(v, p) __ecmo_use(v, p)

#define static_branch_likely(x) __ecmo_use()
#define static_branch_unlikely(x) __ecmo_use()
#define static_branch_maybe(option, x) __ecmo_use()
#define static_key_false(x) __ecmo_use()
#define static_key_true(x) __ecmo_use()

#define __init
#define __initdata
#define __initconst
#define __exit
#define __ref
#define __refdata
#define __sched
#define __cold
#define __hot
#define __cpuinit
#define __cpuinitdata
#define __devinit
#define __devinitdata
#define __devexit
#define __meminit
#define __net_init
#define __net_exit
#define __kprobes
#define __user
#define __iomem
#define __kernel
#define __percpu
#define __rcu
#define __force
#define __nocast
#define __bitwise
#define __safe
#define __private
#define __must_check
#define __maybe_unused
#define __always_unused
#define __used
#define __pure
#define __attribute_const__
#define __read_mostly
#define __ro_after_init
#define __cacheline_aligned
#define __cacheline_aligned_in_smp
#define ____cacheline_aligned
#define ____cacheline_aligned_in_smp
#define __randomize_layout
#define __packed
#define __weak
#define __visible
#define __latent_entropy
#define __nonstring
#define __deprecated
#define __lockfunc
#define __irq_entry
#define __softirq_entry
#define __exception
#define __exception_irq_entry
#define __sram_func
#define asmlinkage
#define fastcall
#define noinline
#define notrace
#define noinstr
#define fallthrough 0
#define __fallthrough 0
#define uninitialized_var(x) x
#define __uninitialized_var(x) x
#define __auto_type int
#define __extension__
#define __restrict
#define __inline inline
#define __inline__ inline
#define __always_inline inline
#define __signed__ signed
#define __const const
#define __KERNEL__ 1
#define __GNUC__ 4
#define __GNUC_MINOR__ 9
#define __arm__ 1
#define __linux__ 1
#define __ARMEL__ 1
#define __STDC__ 1
#define __OPTIMIZE__ 1
#define KBUILD_STR(s) #s
