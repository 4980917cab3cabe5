-- When the kernel does not leave a function: which, with which registers, who called.
on("stuck", function(pc)
    print("stuck in " .. where(pc) .. ", called from " .. where(cpu.lr))
    for number = 0, 12, 4 do
        print(string.format("  r%-2d %08x %08x %08x %08x", number, cpu["r" .. number],
            cpu["r" .. number + 1], cpu["r" .. number + 2], cpu["r" .. number + 3]))
    end
    stop()
end)
