# Completion of resi in fish; written by: resi --install-completion fish
function __resi_complete
    set -l words (commandline -opc)
    $words[1] --complete fish (commandline -cp | string collect) 2>/dev/null
end
complete -c resi -f -a '(__resi_complete)'
complete -c resi-merge -f -a '(__resi_complete)'
