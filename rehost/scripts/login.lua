-- Types at the console what a person would: waits for the prompt, asks, reads the
-- answer, ends.
machine { append = "quiet" }

local asked = false
expect("\n[^\n]*# ", function()
    if asked then return end
    asked = true
    send("echo the answer is $((6*7))\n")
end)
expect("\n(the answer is %d+)", function(answer)
    print(answer)
    stop()
end)
