# syscalls.txt -> one C table row a name that this machine's headers know.
/^(allow|deny) / {
    for (i = 2; i <= NF && $i != "--"; i++)
        printf "#ifdef SYS_%s\n    {SYS_%s, %s},\n#endif\n", $i, $i, $1 == "allow" ? "ALLOW" : "DENY"
    if (i >= NF) { print "syscalls.txt:" NR ": no reason" > "/dev/stderr"; exit 1 }
}
