-- How long each initial call of the kernel takes, in virtual time.
breakpoint("do_one_initcall", function()
    local call, began = argument(0), now()
    on_return(function(result)
        local took = (now() - began) * 1000
        if took >= 1 then
            print(string.format("%8.3f ms  %s = %d", took, where(call), bit.tobit(result)))
        end
    end)
end)
