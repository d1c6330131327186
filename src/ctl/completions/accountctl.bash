# bash completion for accountctl. It needs nothing but bash; every option of --help is here, which a test compares.

_accountctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local commands='create edit delete get list export rebuild help'
    local fields='nickname avatar_url gender birthday location signature allow_type language message_settings
        admin_forbid level role'
    local options='--brokers --app --config --property --timeout --json --help --version'

    COMPREPLY=()
    # The first word that is neither an option nor an option's value.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --brokers | --app | --config | -c | --property | -X | --timeout) ((i++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done

    case $before in
    -c | --config | -o | --output)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --type) options='general admin' ;;
    --on-exists) options='error update skip' ;;
    --format) options='ndjson json csv msgpack' ;;
    --compression) options='none gzip zstd' ;;
    --unset) options="$fields custom" ;;
    --set)
        mapfile -t COMPREPLY < <(compgen -S = -W "$fields" -- "$word")
        compopt -o nospace 2>/dev/null
        return
        ;;
    --brokers | --app | --property | -X | --timeout | --custom | --unset-custom | --if-revision | --limit | --after | \
        --fields)
        return
        ;;
    *)
        case $command in
        '') options="$commands $options" ;;
        create) options+=' --type --set --custom --on-exists --dry-run' ;;
        edit) options+=' --set --unset --custom --unset-custom --type --if-revision --dry-run' ;;
        delete) options+=' --confirm --if-revision --dry-run' ;;
        list) options+=' --limit --after --all' ;;
        export) options+=' --output --format --compression --fields' ;;
        rebuild) options+=' --force --accept-offsets' ;;
        help) options=$commands ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _accountctl accountctl
