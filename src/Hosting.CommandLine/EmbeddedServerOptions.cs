using System.CommandLine;
using System.Globalization;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The settings of embedded servers as options of a command; none where there are no such servers.</summary>
internal sealed class EmbeddedServerOptions(IEmbeddedServers? servers)
{
    private readonly Option<int>[] _options = [.. (servers?.Settings ?? []).Select(OptionOf)];

    /// <summary>An option a setting.</summary>
    public IReadOnlyList<Option> All => _options;

    /// <summary>Their values, by name.</summary>
    public IReadOnlyDictionary<string, int> ValuesOf(ParseResult result) => _options.ToDictionary(o => o.Name, result.GetValue);

    private static Option<int> OptionOf(EmbeddedServerSetting setting) => ServerOptions
        .Named(setting.Name, setting.Variable, setting.Description, v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture),
            setting.Default)
        .Checked(setting.WhatIsWrong);
}
