/*
 * What a driver in C needs to be linked into a kernel by ecmo-link: macros that
 * make notes (the format is described in driver/src/note.rs) and slots.
 *
 *     #include "ecmo.h"
 *
 *     ECMO_BACKWARD(ECMO_OPTIONAL, int, _printk, (const char *format, ...),
 *                   "_printk|printk", "", "kernel/printk/printk.c");
 *     ECMO_LAYOUT(ECMO_REQUIRED, irq_data_irq, "irq_data.irq");
 *     ECMO_CHIP(ECMO_REQUIRED, vic, "pl190.va");
 *
 *     static void init_irq(void)
 *     {
 *             if (ecmo_has(_printk))
 *                     ecmo_call(_printk)("interrupts at %x\n", ecmo_value(vic));
 *     }
 *     ECMO_FORWARD(ECMO_REQUIRED, "machine_desc.init_irq", init_irq, "",
 *                  "void (void)");
 *
 * A function of the kernel that is merely declared and called works too: it is
 * then required, and reached through a veneer.
 *
 * Compile freestanding and without position independence, and give every
 * function a section of its own, so that what is not used is left out:
 *
 *     -ffreestanding -fno-pic -ffunction-sections -fdata-sections
 */
#ifndef ECMO_H
#define ECMO_H

#include <stdint.h>

#define ECMO_OPTIONAL 0
#define ECMO_REQUIRED 1
#define ECMO_DATA 2 /* internal: the backward pointer is to a variable */

#define ECMO_JOIN_(a, b) a##b
#define ECMO_JOIN(a, b) ECMO_JOIN_(a, b)

/* One note. `text` holds four strings, each with its end. */
#define ECMO_NOTE_(id, kind_, flags_, target, text_)                            \
	static const struct {                                                   \
		uint32_t magic;                                                 \
		uint16_t kind;                                                  \
		uint16_t flags;                                                 \
		const volatile void *at;                                        \
		uint32_t length;                                                \
		char text[(sizeof(text_) + 3) & ~3u];                           \
	} ECMO_JOIN(ecmo_note_, id)                                             \
	__attribute__((used, aligned(4), section(".ecmo.note." #id))) = {       \
		0x314e4345, (kind_), (flags_),                                  \
		(const volatile void *)(target), sizeof(text_), text_           \
	}

#define ECMO_TEXT_(names, group, signature, doc) \
	names "\0" group "\0" signature "\0" doc

/* The linker writes slots; the compiler must not know what is in them. */
#define ECMO_SLOT_(id, type)                                                    \
	static type ECMO_JOIN(ecmo_slot_, id)                                   \
	__attribute__((used, aligned(4), section(".ecmo.slot." #id)))

/*
 * A function of the kernel. `names` is one name or several by "|" in the order
 * of preference. Of the required ones of one `group` it is enough that the
 * kernel has one. `doc` says where it is declared and in which versions.
 */
#define ECMO_BACKWARD(flags, result, id, parameters, names, group, doc)         \
	typedef result ECMO_JOIN(ecmo_type_, id) parameters;                    \
	ECMO_SLOT_(id, ECMO_JOIN(ecmo_type_, id) *const volatile) = 0;          \
	ECMO_NOTE_(id, 1, flags, &ECMO_JOIN(ecmo_slot_, id),                    \
		   ECMO_TEXT_(names, group, #result " " #parameters, doc))

/* A variable of the kernel: `ecmo_value(id)` is a pointer to it. */
#define ECMO_VARIABLE(flags, type, id, names, group, doc)                       \
	ECMO_SLOT_(id, type *const volatile) = 0;                               \
	ECMO_NOTE_(id, 1, (flags) | ECMO_DATA, &ECMO_JOIN(ecmo_slot_, id),      \
		   ECMO_TEXT_(names, group, #type, doc))

/* The offset of "struct.field", or the size of "struct", in bytes. */
#define ECMO_LAYOUT(flags, id, name)                                            \
	ECMO_SLOT_(id, const volatile uint32_t) = 0;                            \
	ECMO_NOTE_(id, 3, flags, &ECMO_JOIN(ecmo_slot_, id),                    \
		   ECMO_TEXT_(name, "", "", ""))

/* A constant of the kernel's source. */
#define ECMO_CONSTANT(flags, id, name)                                          \
	ECMO_SLOT_(id, const volatile uint32_t) = 0;                            \
	ECMO_NOTE_(id, 4, flags, &ECMO_JOIN(ecmo_slot_, id),                    \
		   ECMO_TEXT_(name, "", "", ""))

/* A chip of the machine: "pl190.va", "sp804.irq", "uart16550.clock_hz" ... */
#define ECMO_CHIP(flags, id, name)                                              \
	ECMO_SLOT_(id, const volatile uint32_t) = 0;                            \
	ECMO_NOTE_(id, 5, flags, &ECMO_JOIN(ecmo_slot_, id),                    \
		   ECMO_TEXT_(name, "", "", ""))

/*
 * A function that the kernel is to call. `places` is one place or several by
 * "|": "machine_desc.init_irq", "machine_desc.init_time|machine_desc.timer".
 * Without ECMO_REQUIRED it is left out when the kernel lacks something that the
 * function needs.
 */
#define ECMO_FORWARD(flags, places, function, group, signature)                 \
	ECMO_NOTE_(function, 2, flags, &function,                               \
		   ECMO_TEXT_(places, group, signature, ""))

/* Whether the kernel has the function or variable. */
#define ecmo_has(id) (ECMO_JOIN(ecmo_slot_, id) != 0)
/* The function, to be called. */
#define ecmo_call(id) (*ECMO_JOIN(ecmo_slot_, id))
/* What the slot of a variable, layout, constant or chip holds. */
#define ecmo_value(id) (ECMO_JOIN(ecmo_slot_, id))
/* Whether a layout, constant or chip is known. */
#define ecmo_known(id) (ECMO_JOIN(ecmo_slot_, id) != 0xffffffffu)

#endif
