# bash completion for accountctl. It needs nothing but bash; every option of --help is here, which a test compares.

_accountctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local commands='create edit delete get list export rebuild dlq import tail status bench help'
    local fields='nickname avatar_url gender birthday location signature allow_type language message_settings
        admin_forbid level role'
    local options='--brokers --app --config --property --key --timeout --json --help --version'

    COMPREPLY=()
    # The first word that is neither an option nor an option's value.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --brokers | --app | --config | -c | --property | -X | --key | --timeout) ((i++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done

    case $before in
    -c | --config | -o | --output | --rejects)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --type) options='general admin' ;;
    --on-exists) options='error update skip' ;;
    --format) options='ndjson json csv msgpack' ;;
    --compression) options='none gzip zstd' ;;
    --op) options='create edit delete get list export' ;;
    --unset) options="$fields custom" ;;
    --set)
        mapfile -t COMPREPLY < <(compgen -S = -W "$fields" -- "$word")
        compopt -o nospace 2>/dev/null
        return
        ;;
    --brokers | --app | --property | -X | --key | --timeout | --custom | --unset-custom | --if-revision | --limit | --after | \
        --fields | --created-after | --created-before | --updated-after | --code | --since | --count | --account | --id | --metrics | \
        --interval | --rate | --duration | --accounts | --mix | --batch)
        return
        ;;
    *)
        case $command in
        '') options="$commands $options" ;;
        create) options+=' --type --set --custom --on-exists --dry-run' ;;
        edit) options+=' --set --unset --custom --unset-custom --type --if-revision --dry-run' ;;
        delete) options+=' --confirm --if-revision --dry-run' ;;
        list) options+=' --limit --after --all' ;;
        export)
            options+=' --all --from-topic --output --format --compression --fields'
            options+=' --type --created-after --created-before --updated-after'
            ;;
        rebuild) options+=' --force --accept-offsets' ;;
        dlq)
            options+=' --code --since --limit --raw --all --dry-run --force --no-wait'
            [[ $before == dlq && $word != -* ]] && options='list show replay'
            ;;
        tail)
            options+=' --since --from-beginning --count --account --op --id --code'
            [[ $before == tail && $word != -* ]] && options='replies changelog dead-letters'
            ;;
        import)
            options+=' --on-exists --rejects --resume --dry-run --format --compression'
            if [[ $word != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                compopt -o filenames 2>/dev/null
                return
            fi
            ;;
        status) options+=' --metrics --interval --once' ;;
        bench) options+=' --rate --duration --accounts --mix --batch --yes --keep' ;;
        help) options=$commands ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _accountctl accountctl
