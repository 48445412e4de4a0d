using System.Reflection;
using System.Runtime.Loader;
using KafkaEventSourcing.Chaos.Domain;
using KafkaEventSourcing.Streamiz;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos;

/// <summary>
/// The application that is put under fire: how its processes are started, and its pure functions, by which the checker decides again what
/// its nodes have decided.
/// </summary>
internal sealed record DomainUnderTest
{
    /// <summary>Program and first arguments; <c>run</c> or <c>verify</c> and their options follow.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>The aggregate types.</summary>
    public required IReadOnlyList<AggregateDefinition> Aggregates { get; init; }

    /// <summary>What is sent, as JSON; null: what the API page has as examples.</summary>
    public string? Load { get; init; }

    /// <summary>
    /// The event streams whose snapshots nodes can restore from, run by the application's command <c>streams</c>; null: there are none.
    /// </summary>
    public EventStreamsDefinition? Streams { get; init; }

    /// <summary>The aggregate types that <see cref="Streams"/> have snapshots of.</summary>
    public IEnumerable<AggregateDefinition> OfStreams => Streams?.Snapshots.Select(s => s.Aggregate) ?? [];

    /// <summary>Whether a process has come to its end, by its state; null: the application does not say.</summary>
    public Func<object, bool>? IsSettled { get; init; }

    /// <summary>
    /// Says what is wrong with all final states together, given the commands that were sent from outside; null: the application has no such
    /// rule.
    /// </summary>
    public Func<IReadOnlyDictionary<string, IReadOnlyCollection<FinalState>>, IReadOnlySet<CommandId>, string?>? WhatIsWrong { get; init; }

    /// <summary>The built-in one.</summary>
    public static DomainUnderTest Wallets { get; } = new()
    {
        Command = [.. SelfExecutable.Command, WalletApplication.Argument],
        Aggregates = [Wallet.Definition, Payment.Definition],
        Streams = WalletApplication.Streams,
        Load = WalletApplication.Load,
        IsSettled = state => Payment.IsSettled((PaymentState)state),
        WhatIsWrong = WalletApplication.WhatIsWrong,
    };

    /// <summary>The application that <paramref name="command"/> starts, such as <c>dotnet bank.dll run</c>.</summary>
    /// <exception cref="InvalidInputException">No assembly is among its words, or there are no aggregates in it.</exception>
    public static DomainUnderTest Of(IReadOnlyList<string> command, string? load)
    {
        string[] start = [.. command.Count > 0 && command[^1] == "run" ? command.Take(command.Count - 1) : command];
        string assembly = start.Select(AssemblyOf).FirstOrDefault(File.Exists)
            ?? throw new InvalidInputException("--",
                $"No .NET assembly is named in '{string.Join(' ', command)}'. Say how a node is started, such as: -- dotnet "
                    + $"bin/Release/net10.0/Banking.dll run");
        Type[] types = TypesOf(Path.GetFullPath(assembly));
        AggregateDefinition[] aggregates =
            [.. Find<AggregateDefinition>(types).DistinctBy(d => d.Name).OrderBy(d => d.Name, StringComparer.Ordinal)];
        if (aggregates.Length == 0)
            throw new InvalidInputException("--",
                $"There is no static property of the type {nameof(AggregateDefinition)} in {assembly}: without its aggregates a history "
                    + $"cannot be checked.");
        return new DomainUnderTest
        {
            Command = start, Aggregates = aggregates, Load = load,
            Streams = Find<EventStreamsDefinition>(types).FirstOrDefault(s => s.Snapshots.Count > 0),
        };
    }

    private static string AssemblyOf(string word) => word.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? word
        : word.EndsWith(".exe", StringComparison.OrdinalIgnoreCase) ? Path.ChangeExtension(word, ".dll")
        : word + ".dll";

    private static Type[] TypesOf(string path)
    {
        try
        {
            return new DomainAssemblies(path).LoadFromAssemblyPath(path).GetTypes();
        }
        catch (Exception unusable) when (unusable is BadImageFormatException or FileLoadException or ReflectionTypeLoadException)
        {
            throw new InvalidInputException("--", $"{path} cannot be loaded: {unusable.Message}", unusable);
        }
    }

    private static IEnumerable<T> Find<T>(Type[] types) => types.Where(t => !t.ContainsGenericParameters)
        .SelectMany(t => t.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
        .Where(p => typeof(T).IsAssignableFrom(p.PropertyType) && p.GetMethod is not null)
        .Select(p => (T)p.GetValue(null)!);

    /// <summary>The application's assemblies; those that this program has itself are its own, so that both mean the same types.</summary>
    private sealed class DomainAssemblies(string path) : AssemblyLoadContext("domain")
    {
        private readonly AssemblyDependencyResolver _resolver = new(path);

        protected override Assembly? Load(AssemblyName assemblyName)
        {
            try
            {
                return Default.LoadFromAssemblyName(new AssemblyName(assemblyName.Name!));
            }
            catch (FileNotFoundException)
            {
                return _resolver.ResolveAssemblyToPath(assemblyName) is { } found ? LoadFromAssemblyPath(found) : null;
            }
        }
    }
}
