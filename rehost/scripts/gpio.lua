-- A chip that is not there: a block of GPIO of eight pins whose inputs follow its
-- outputs, at a physical address where the machine has nothing.
local BASE, SIZE = 0x50000000, 0x1000
local OUT, IN, ID = 0x0, 0x4, 0xfc
local out = 0

mmio(BASE, SIZE, {
    read = function(offset, size, pc)
        if offset == OUT then return out end
        if offset == IN then return bit.bxor(out, 0xff) end
        if offset == ID then return 0x6770696f end
        return 0
    end,
    write = function(offset, value, size, pc)
        if offset == OUT then out = bit.band(value, 0xff) end
    end,
})
