# fish completion for iptviz: the program is asked what may stand at the cursor. Where it knows nothing, files are
# offered.
function __iptviz_complete
    set -l words (commandline -po)
    set -l before (commandline -cp | string collect)
    set -l found (env _IPTVIZ_COMPLETE=complete_fish COMP_LINE=(commandline -p | string collect) \
        COMP_POINT=(string length -- $before) $words[1] </dev/null 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command iptviz --no-files --arguments '(__iptviz_complete)'
